"""A run, from its config to its folder: prepare, ask what the store lacks, judge, publish."""
