"""``evalkit quantize``: makes a candidate of a model."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode, UsageError
from evalkit.base.printable import counted
from evalkit.cli.ending import stopped
from evalkit.cli.stored import runs_option, task_code_option
from evalkit.config.given import refuse_second

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.quantize import Made

_SCHEMES = ("w8a8", "w4a16", "fp8-dynamic")
"""Told twice, here and in ``evalkit.quantize``: --help must not wait for that. A test compares them."""


@click.command(
    "quantize",
    help="Make a candidate of SOURCE (a folder or hub id) with llm-compressor: W8A8 and W4A16 by GPTQ with calibration "
    "data, FP8 without. Vision tower, projector and head stay as they are. What is made is examined before it gets its "
    "name; one that is not what was asked for is kept as FOLDER.rejected, and the exit code is 4.",
)
@click.argument("source")
@click.option("--scheme", required=True, type=click.Choice(_SCHEMES), help="In which numbers.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="The candidate.")
@click.option(
    "--calibration",
    default="",
    metavar="DATA",
    help="A parquet or JSONL file, a folder, or a data set on the hub (owner/name[:FILES]); by default the published "
    "one, or ultrachat_200k for a model that cannot see.",
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=512, show_default=True, help="Rows of it, the first ones."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the samples, and of torch.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="MODULE",
    help="A further module that stays as it is: its name, or re: and a pattern of names; repeat it.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="A task that will be asked: calibration data that it asks are refused; repeat it.",
)
@click.option("--data", multiple=True, metavar="TASK=FILE", help="Local rows of such a task in place of the hub.")
@runs_option
@click.option("--python", default="", metavar="PYTHON", help="An interpreter that has llm-compressor.")
@task_code_option
@click.option("--json", "as_json", is_flag=True, help="The record as one JSON object, progress as JSON lines.")
def command(output: Path, data: tuple[str, ...], *, as_json: bool, **given: Any) -> int:
    """Make it, and say what comes next."""
    from evalkit import quantize  # noqa: PLC0415 - --help must not wait for these
    from evalkit.cli.display import display  # noqa: PLC0415
    from evalkit.cli.run import interruptible  # noqa: PLC0415

    request = quantize.Making(output=output, data=_pairs(data), command=_command(output, given), **given)
    interruptible()
    try:
        with display(as_json=as_json) as say:
            made = quantize.quantize(request, say)
    except KeyboardInterrupt:
        stopped("stopped; nothing was left behind")
        return ExitCode.INTERRUPTED
    if as_json:
        click.echo(json.dumps({"folder": str(output), **made.record}))
    else:
        for line in _told(made, request.source, output):
            click.echo(line)
    return ExitCode.FINE


def _pairs(given: Iterable[str]) -> dict[str, str]:
    wrong = [one for one in given if not all(one.partition("=")[::2])]
    if wrong:
        raise UsageError(f"--data {wrong[0]}: not TASK=FILE", fix="write it like charts=rows.parquet")
    found: dict[str, str] = {}
    for one in given:
        key, _, value = one.partition("=")
        refuse_second(found, key, value, "--data")
        found[key] = value
    return found


def _command(output: Path, given: dict[str, Any]) -> str:
    """What was typed, for people elsewhere: without the folders of this machine, and without what moves nothing."""
    from evalkit.report.commands import public  # noqa: PLC0415

    words = [given["source"], "--scheme", given["scheme"], "-o", output.name]
    usual = {one.name: one.default for one in command.params}
    for name in ("calibration", "samples", "seed"):
        if given[name] != usual[name]:
            words += [f"--{name}", str(given[name])]
    for name, values in (("--ignore", given["ignore"]), ("--task", given["tasks"])):
        words += [word for value in values for word in (name, value)]
    return shlex.join(["evalkit", "quantize", *map(public, words)])


def _told(made: Made, source: str, output: Path) -> list[str]:
    """What was made of what, and the command that comes next."""
    from evalkit.records import checkpoint  # noqa: PLC0415

    found, record = made.checkpoint, made.record
    layers = counted(found.quantized_layers, "linear layer")
    sizes = [checkpoint.size(one.weight_bytes or 0) for one in (found, made.source)]
    kept = "vision tower, projector and head" if len(record["ignore"]) > 1 else "the head"
    gpu = f", {record['gpu_memory_gib']} GiB of GPU memory" if "gpu_memory_gib" in record else ""
    return [
        (
            f"{output}: {found.scheme}, {layers} of the language model quantized, {kept} as they were, "
            f"{sizes[0]} beside {sizes[1]}"
        ),
        f"took {record.get('seconds', 0):.0f} s, {record.get('memory_gib', 0)} GiB of memory{gpu}",
        f"next: {shlex.join(['evalkit', 'run', '--baseline', source, '--candidate', str(output)])}",
    ]
