"""The reference in the documentation, made from the declarations in the code."""
