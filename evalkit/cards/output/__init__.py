"""An audit as lines for a reader, as Markdown for a pull request, and as an object for programs."""

from __future__ import annotations

from evalkit.cards.output.lines import as_lines
from evalkit.cards.output.markdown import as_markdown
from evalkit.cards.output.objects import as_object
from evalkit.cards.output.report import AuditReport

__all__ = ["AuditReport", "as_lines", "as_markdown", "as_object"]
