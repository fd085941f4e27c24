"""Jinja templates of a task file, in a sandbox: what they may use is a row's cells, and nothing of Python.

The cells of a row are values, never templates: what a data set says is not executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

_LONGEST: Final = 4_000_000
"""Characters of a question; about a million tokens, which no served model takes."""
_ROW: Final = "row"
"""By which a template can reach a column whose name is no name in Jinja."""


class TemplateFaultError(ValueError):
    """A template cannot be read, or not be filled with a row; the message says why."""


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which also keeps a multiplication from filling the memory."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply what is no giant.

        Raises:
            SecurityError: It is.
        """
        sized = [one for one in (left, right) if isinstance(one, str | list | tuple)]
        count = [abs(one) for one in (left, right) if isinstance(one, int)]
        if sized and count and len(sized[0]) * count[0] > _LONGEST:
            raise SecurityError(f"a text of {len(sized[0]) * count[0]:,} characters")
        if operator == "**" and count and max(count) > 1000:
            raise SecurityError("a power beyond 1000")
        return super().call_binop(context, operator, left, right)


@dataclass(frozen=True, slots=True)
class Form:
    """A template that was read."""

    columns: frozenset[str]
    """Names that it uses, those that it defines itself left out."""
    _template: Template

    def filled(self, row: Mapping[str, Any], more: Mapping[str, Any]) -> str:
        """The text that a row makes; ``more`` are names that stand beside its columns and go before them.

        Raises:
            TemplateFaultError: The row lacks what the template uses, or an expression does not hold for it.
        """
        try:
            text = self._template.render({**row, _ROW: dict(row), **more})
        except RecursionError as error:
            raise TemplateFaultError("nested too deep") from error
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise TemplateFaultError(str(error) or type(error).__name__) from error
        if len(text) > _LONGEST:
            raise TemplateFaultError(f"makes a text of {len(text):,} characters")
        return text


@cache
def form(source: str) -> Form:
    """The template that ``source`` spells.

    Raises:
        TemplateFaultError: It is no Jinja template; with the line.
    """
    # What is written goes to a model, not into a page: nothing is to be escaped.
    environment = _Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.clear()
    try:
        tree = environment.parse(source)
        return Form(frozenset(_columns(tree)), environment.from_string(source))
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise TemplateFaultError(f"line {line}: {error}" if line else str(error)) from error
    except RecursionError as error:
        raise TemplateFaultError("nested too deep") from error


def _columns(tree: nodes.Template) -> set[str]:
    """The names in a template that nobody in it defines, and those that it asks of ``row``."""
    found = meta.find_undeclared_variables(tree)
    for attribute in tree.find_all(nodes.Getattr):
        if isinstance(attribute.node, nodes.Name) and attribute.node.name == _ROW:
            found.add(attribute.attr)
    for item in tree.find_all(nodes.Getitem):
        named = isinstance(item.node, nodes.Name) and item.node.name == _ROW
        if named and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            found.add(item.arg.value)
    return found - {_ROW}
