"""A page of a template: one file that asks the network for nothing and runs nothing from the data.

Every text that is put into the page goes through `as_shown`: escaped by Jinja, hidden signs written out, long ones cut
with a note. The page's own style and script are named by their sha256 in its Content-Security-Policy, so nothing else
can run even where an escape failed.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from evalkit.report.marks import cut, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from evalkit.base.types import Json


def page(name: str, facts: Mapping[str, Json], templates: Mapping[str, str]) -> str:
    """A page of one template: whatever the facts say is shown and acts on nothing."""
    from markupsafe import Markup  # noqa: PLC0415 - the terminal's --help must not wait for it

    made = _environment(tuple(templates.items()))
    style, script = templates["report.css"], templates["report.js"]
    return made.get_template(name).render(
        facts,
        policy=Markup(content_policy(style, script)),  # noqa: S704 - made of digests alone
        style=Markup(style),  # noqa: S704 - a file of evalkit's own
        script=Markup(script),  # noqa: S704 - a file of evalkit's own
        picture=lambda data: Markup(f"data:image/webp;base64,{data}"),  # noqa: S704 - Base64 has no sign that acts
    )


@lru_cache(maxsize=4)
def _environment(templates: tuple[tuple[str, str], ...]) -> Environment:
    """Templates, each compiled for the first page that it makes: that takes longer than to make the page."""
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415 - as above
    from markupsafe import Markup  # noqa: PLC0415

    def shown(value: Json) -> Json:
        return value if isinstance(value, Markup) or not isinstance(value, str) else as_shown(value)

    return Environment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )


def as_shown(text: str) -> str:
    """A text as the page holds it, before it is escaped."""
    head, note = cut(text)
    return visible(head) + (f" {note}" if note else "")


def content_policy(style: str, script: str) -> str:
    """The Content-Security-Policy that lets this style and this script in, embedded pictures, and nothing else."""
    allowed = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src {allowed[0]}; script-src {allowed[1]}; "
        "base-uri 'none'; form-action 'none'"
    )
