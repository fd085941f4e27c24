import json
import sys
from pathlib import Path

import pytest

from evalkit.base.types import Model
from evalkit.serve import Serving
from support.leftovers import nothing_left_behind  # noqa: F401

FAKE = Path(__file__).with_name("fake_vllm.py")


@pytest.fixture
def model():
    return Model(label="tiny", source="org/tiny", digest="0" * 64)


@pytest.fixture
def serving():
    """A function: what the fake server plays -> settings that start it."""

    def make(*, port=0, stall_s=20.0, start_timeout_s=30.0, stop_patience_s=2.0, **play):
        return Serving(
            command=(sys.executable, str(FAKE)),
            device="cpu",
            env={"FAKE": json.dumps(play)},
            port=port,
            stall_s=stall_s,
            start_timeout_s=start_timeout_s,
            stop_patience_s=stop_patience_s,
        )

    return make
