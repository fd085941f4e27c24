"""Answers that are mathematics, compared by ``math-verify`` in a process of its own."""
