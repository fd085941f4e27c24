"""A viewer for a test."""

from contextlib import ExitStack

import pytest

from support.viewers import within


@pytest.fixture
def viewer(tmp_path):
    """A function from an output folder to a viewer, which ends with the test."""
    with ExitStack() as stack:
        yield lambda output: stack.enter_context(within(output, tmp_path / "cache"))
