import pytest

from support import wants
from support.coders import coder, tokenizer_file

__all__ = ["coder", "tokenizer_file"]


@pytest.fixture
def one_thread():
    """Threads that wait for each other on a busy machine take many times as long as one alone."""
    torch = wants.imported("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
