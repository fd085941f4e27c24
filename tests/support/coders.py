"""The tokenizer of the demonstration's model, learned once for a session."""

from itertools import islice

import pytest

from demo_model import tokens
from demo_model.rows import corpus


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokens.learn(islice(corpus(), 3000)).save(str(file))
    return file


@pytest.fixture(scope="session")
def coder(tokenizer_file):
    return tokens.Coder.read(tokenizer_file)
