"""What a shell may complete: runs, tasks, suites, lm-eval's tasks by their names. It is asked at every press of Tab."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

_LM_EVAL: Final = "lm-eval:"
_MOST: Final = 200
"""Names that a person may still look through."""


def runs(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Ids of the runs in the folder that the command line names, and folders of runs elsewhere."""
    if "/" in begun:
        return [CompletionItem(begun, type="dir")]
    folder = Path(context.params.get("runs") or context.params.get("output") or "runs")
    found = [path.parent.name for path in folder.glob("*/run.json")] if folder.is_dir() else []
    return _of(["latest", *sorted(found, reverse=True)], begun)


def tasks(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Tasks by name, those of the folders that the command line names too; files; lm-eval's behind ``lm-eval:``."""
    if begun.startswith(_LM_EVAL):
        return _of((f"{_LM_EVAL}{name}" for name in _named_by_lm_eval()), begun)
    from evalkit.tasks import registry  # noqa: PLC0415 - a press of Tab elsewhere must not wait for it

    if "/" in begun or begun.endswith(".toml"):
        return [CompletionItem(begun, type="file")]
    return _of([*registry.tasks(_folders(context)), _LM_EVAL], begun)


def suites(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Suites by name."""
    from evalkit.tasks import registry  # noqa: PLC0415 - as above

    return _of(registry.suites(_folders(context)), begun)


def _folders(context: click.Context) -> list[Path]:
    return [Path(folder) for folder in context.params.get("tasks_dir") or ()]


def _named_by_lm_eval() -> list[str]:
    from evalkit.tasks.lm_eval import files, index  # noqa: PLC0415 - as above

    # Where lm-eval cannot be read there is nothing to complete, and a shell is no place to say why.
    with suppress(Exception):
        return [name for name, _ in index.search(index.cached(files.folder(), files.release()), "")]
    return []


def _of(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)][:_MOST]
