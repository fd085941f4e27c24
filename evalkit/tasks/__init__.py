"""What can be asked: benchmarks, metrics, task files, the rows of their data, and the registry of all of them."""
