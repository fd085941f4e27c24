"""MMLU as lm-eval asks it: ``evalkit.harnesses.lm_eval.harness.LmEval``.

``import lm_eval`` inside this package is the library: imports are absolute.
"""
