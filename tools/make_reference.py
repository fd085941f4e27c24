"""Write the schema of results.json, and what pages of the documentation take from the code, anew.

Nothing changes unless a declaration has.
"""

from __future__ import annotations

from pathlib import Path

from reference import schema
from reference.blocks import BLOCKS
from reference.markdown import filled

_ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    (_ROOT / "reports/results.schema.json").write_text(schema.text(), encoding="utf-8")
    for page in sorted((_ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        made = filled(text, BLOCKS)
        if made != text:
            page.write_text(made, encoding="utf-8")
