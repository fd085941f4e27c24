"""The one codec: a mapping becomes the dataclass that declares it, and a dataclass becomes its mapping.

The dataclass is the declaration: its field names are the keys, its annotations the types, a field without a default is
required, the text below a field says what the key means. So a key is written down once, and a new field needs no
second list to keep in step. `read` is for what a user writes (TOML), `kept` for what an evalkit wrote (the store,
``run.json``, ``results.json``), `written` for the way back. The schema of a file is made from the same types
(``tools/reference``).

What an annotation cannot say (a range, a name that must exist) the owner of the dataclass checks and reports as further
`Fault` values.
"""

from __future__ import annotations

from evalkit.base.codec.faults import Fault, Source, above, at_least, known, refuse, under
from evalkit.base.codec.keys import (
    LATER,
    LENIENT,
    OTHERS,
    UNSAID,
    Count,
    Items,
    Key,
    Numbers,
    Percent,
    Share,
    declared,
)
from evalkit.base.codec.reading import MisfitError, kept, read
from evalkit.base.codec.writing import written

__all__ = [
    "LATER",
    "LENIENT",
    "OTHERS",
    "UNSAID",
    "Count",
    "Fault",
    "Items",
    "Key",
    "MisfitError",
    "Numbers",
    "Percent",
    "Share",
    "Source",
    "above",
    "at_least",
    "declared",
    "kept",
    "known",
    "read",
    "refuse",
    "under",
    "written",
]
