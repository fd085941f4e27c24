import pytest

from support.perfruns import PerfPlace


@pytest.fixture
def place(workplace):
    return PerfPlace(workplace)
