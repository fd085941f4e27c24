"""Tasks that lm-eval has by name: its files are read as they lie, without importing it, which takes seconds."""
