"""Two stand-ins for models on ports of this machine, for `evalkit run --endpoint` in another shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from evalkit.testing import ModelServer, chat

if TYPE_CHECKING:
    from evalkit.testing import Part


def knows(rows: list[dict[str, Any]]) -> Part:
    """What a model would say that reads these gauges rightly, and gives up on all others."""
    right = {row["photo"]["bytes"]: row["reading"] for row in rows}
    return lambda asked: chat(asked, right.get(asked.pictures[0], "I cannot tell."))


rows = pq.read_table(Path(__file__).with_name("gauges.parquet")).to_pylist()
with (
    ModelServer("base", knows(rows), address=("127.0.0.1", 8001)),
    ModelServer("cand", knows(rows[:20]), address=("127.0.0.1", 8002)),
):
    input("Enter ends them: ")
