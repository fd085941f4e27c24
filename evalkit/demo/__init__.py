"""What can be run without a GPU, a network or an account."""
