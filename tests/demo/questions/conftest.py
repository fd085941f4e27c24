from support.coders import coder, tokenizer_file

__all__ = ["coder", "tokenizer_file"]
