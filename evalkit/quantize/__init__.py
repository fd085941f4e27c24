"""Candidates made with llm-compressor: in an environment of its own, examined, and given their name only then."""

from evalkit.quantize.calibration import LONGEST
from evalkit.quantize.families import FAMILIES, SCHEMES
from evalkit.quantize.making import Made, Making, quantize

__all__ = ["FAMILIES", "LONGEST", "SCHEMES", "Made", "Making", "quantize"]
