from itertools import islice

import pytest

from evalkit.demo.train import tokens
from evalkit.demo.train.rows import corpus
from support import wants


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokens.learn(islice(corpus(), 3000)).save(str(file))
    return file


@pytest.fixture(scope="session")
def coder(tokenizer_file):
    return tokens.Coder.read(tokenizer_file)


@pytest.fixture
def one_thread():
    """Threads that wait for each other on a busy machine take many times as long as one alone."""
    torch = wants.imported("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
