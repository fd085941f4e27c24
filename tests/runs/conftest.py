import pytest

from evalkit.runs import deaths


@pytest.fixture
def hurried(monkeypatch):
    """A server that died is started again at once: how long the pauses are is no matter of what is asked in them."""
    monkeypatch.setattr(deaths, "_LONGEST_PAUSE_S", 0.01)
