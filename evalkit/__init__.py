"""What did quantization cost, and can I trust the number?"""

__version__ = "0.1.0"
