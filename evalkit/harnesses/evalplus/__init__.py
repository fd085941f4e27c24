"""HumanEval as evalplus holds it: ``evalkit.harnesses.evalplus.harness.EvalPlus``.

Nothing is imported here: ``judge`` runs as a process of its own, and each of its imports is in the memory of every fork
that evalplus makes to compare outputs. ``import evalplus`` inside this package is the library: imports are absolute.
"""
