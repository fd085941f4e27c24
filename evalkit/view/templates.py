"""The templates of the viewer's pages: every text that is put into one is escaped, and its hidden signs are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evalkit.files import resources
from evalkit.report.marks import visible

if TYPE_CHECKING:
    from collections.abc import Callable


def templates(to: Callable[..., str] | None = None) -> Environment:
    """The templates; ``to`` makes the addresses in them, by default those of the viewer."""
    made = Environment(
        loader=FileSystemLoader(resources.reports() / "view"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    made.globals |= {"link": to or link}
    made.filters |= {"percent": percent, "number": "{:,}".format}
    return made


def link(*parts: str | int, **query: str | int | None) -> str:
    """An address of this viewer; what is None or empty in ``query`` is left out."""
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    chosen = {name: value for name, value in query.items() if value not in {None, ""}}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def percent(value: float | None) -> str:
    """A 0-1 score in percent; a dash where there is none."""
    return "–" if value is None else f"{value * 100:.2f}"


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
