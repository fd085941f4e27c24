"""The demonstration's questions: drawn by code from a seed, with their pictures, for every task."""
