"""Write what pages of the documentation take from the code anew; nothing changes unless a declaration has."""

from __future__ import annotations

from pathlib import Path

from reference.blocks import BLOCKS
from reference.markdown import filled

if __name__ == "__main__":
    for page in sorted((Path(__file__).resolve().parents[1] / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        made = filled(text, BLOCKS)
        if made != text:
            page.write_text(made, encoding="utf-8")
