"""What a gate asks, from a file and from options, alike for every command that judges what exists already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from evalkit.base import codec
from evalkit.base.errors import ConfigError
from evalkit.config import policy
from evalkit.config.policy import Policy
from evalkit.files import textfile

policy_options = (
    click.option(
        "--min-recovery",
        type=float,
        metavar="PERCENT",
        help="Judge: every row without a threshold of its own has to keep so much.",
    ),
    click.option(
        "--policy",
        "policy_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="TOML file with a [policy] table.",
    ),
    click.option(
        "--max-failed", type=float, metavar="SHARE", help="Share of samples that may lack a pair; 0.01 by default."
    ),
)


def with_policy(function: Any) -> Any:
    """Give a command the options of a policy."""
    for option in reversed(policy_options):
        function = option(function)
    return function


def asked(file: Path | None, min_recovery: float | None, max_failed: float | None, own: Policy | None = None) -> Policy:
    """The file's policy, or else ``own``, with the options in place of what it says.

    Raises:
        ConfigError: The file has no such table, or a key or value is wrong.
    """
    found = own or Policy()
    if file is not None:
        table = textfile.toml(file).get("policy")
        if not isinstance(table, dict):
            raise ConfigError(f"{file}: no [policy] table", fix="add [policy] with min_recovery = 99")
        found = policy.policy(table, f"{file}: policy")
    options = {"min_recovery": min_recovery, "max_failed": max_failed}
    said: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    # What a run was judged by is not judged again: an earlier evalkit may have let more through.
    codec.refuse(list(policy.problems(Policy(**said))), "command line")
    return replace(found, **said)
