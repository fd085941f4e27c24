"""``evalkit demo``: the main job on this machine, with no GPU, no network and no account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode
from evalkit.cli.ending import notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SERVE = {
    # The models are tiny: compiling them would take longer than the demo itself.
    "enforce-eager": True,
    # Of so small a model a step costs the same for 64 requests as for 16, nearly all of it Python: a quarter less CPU.
    "max-num-seqs": 64,
    # Room for as many of its longest contexts in float32. vLLM fills what it is given: 3 GiB took it 6 seconds.
    "kv-cache-memory-bytes": 2**29,
}
_TAKES = "3 to 8 minutes on two quiet cores, by processor"
"""The whole of it, by what docs/explanation/speed.md has measured."""
_MIN_RECOVERY = 95.0
"""What a candidate has to keep, in percent, unless --min-recovery says otherwise."""
_TIERS = {"demo-humaneval": {"tier": "supporting"}}
"""Forty problems cannot show that much of any model: they fail a candidate that lost, and need not pass one."""


@click.command(
    "demo",
    help="Run the main job here: real vLLM, a small trained model, its W8A8 quantization and its weights rounded to 4 "
    "bits, seven small tasks. A candidate that lost too much is what it shows: it ends with 0 where the demonstration "
    "worked, and with a gate's exit code where --min-recovery asks for one.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="N samples of each task, drawn at random: a quick taste."
)
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    metavar="MODEL",
    help="One of the demonstration's own, w8a8 or rounded-w4, or what you made of its baseline with evalkit quantize; "
    "repeat it. Left out: both of its own.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="A task beside the seven, such as one of your own; repeat it.",
)
@click.option("--data", multiple=True, metavar="TASK=FILE", help="Local rows of such a task; repeat it.")
@click.option(
    "--min-recovery",
    type=float,
    metavar="PERCENT",
    help=f"What a candidate has to keep, as a gate: it ends as run does. Left out: {_MIN_RECOVERY:g}, no gate.",
)
@click.option("-o", "--output", default="runs", show_default=True, metavar="FOLDER", help="Where runs are written.")
@click.option("--vllm-python", default="", metavar="PYTHON", help="The interpreter that has vLLM, if not this one.")
@click.option("--vllm", default="", metavar="RELEASE", help="Serve with this release, in an environment made for it.")
@click.option(
    "--serve-arg",
    "serve_args",
    multiple=True,
    metavar="FLAG=VALUE",
    help="A flag for vLLM in place of the demonstration's own, such as dtype=bfloat16; repeat it.",
)
@click.option("--fresh", is_flag=True, help="Ask everything again.")
@click.option("--unsafe-exec", is_flag=True, help="Run generated code without a sandbox, on a machine that has none.")
@click.option("--json", "as_json", is_flag=True, help="Results as one JSON object on standard output.")
def command(output: str, vllm_python: str, vllm: str, *, as_json: bool, unsafe_exec: bool, **given: Any) -> int:
    """Make a vLLM where there is none, write the data, then run the suite ``demo`` on the trained models."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - --help must not wait for these

    from evalkit.cli.run import carry_out  # noqa: PLC0415
    from evalkit.config import run_config  # noqa: PLC0415

    notice("demo: a small model trained on drawn pictures; its scores say nothing about any real model")
    python = _interpreter(vllm_python, vllm, as_json=as_json)
    notice(f"demo: {'a part of it' if given['limit'] else 'all of it'}; the whole takes {_TAKES}")
    least = _MIN_RECOVERY if given["min_recovery"] is None else given["min_recovery"]
    notice(f"demo: a candidate has to keep {least:g} % here; HumanEval is too small to show much, and only supporting")
    baseline, candidates, files = prepared(given.pop("candidates"), user_cache_path("evalkit") / "demo")
    settings: dict[str, Any] = {
        "baseline": f"demo-8m={baseline}",
        "candidates": candidates,
        "suite": "demo",
        "tasks": list(given.pop("tasks")),
        "data": {f"demo-{name}": str(path) for name, path in files.items()},
        "policy": {"min_recovery": _MIN_RECOVERY, "tasks": _TIERS},
        "output": output,
        "unsafe_exec": unsafe_exec,
        "serve": {"python": python, "args": {**_SERVE, **_dtype(python)}},
    }
    code = carry_out(run_config.resolved(settings, "evalkit demo", given), as_json=as_json)
    return _shown(code) if given["min_recovery"] is None else code


def _shown(code: int) -> int:
    """The exit code where nobody asked for a gate: what a candidate lost is no fault of the demonstration."""
    if code not in {ExitCode.GATE_FAILED, ExitCode.UNDECIDED}:
        return code
    notice(f"demo: it worked and ends with 0; `evalkit run` and `demo --min-recovery` would end with {code} here")
    return ExitCode.FINE


def prepared(named: Sequence[str], place: Path) -> tuple[Path, list[str], dict[str, Path]]:
    """Baseline, candidates and each task's data, written where they are not there yet; by one demonstration at a time.

    Raises:
        InfrastructureError: They cannot be written.
    """
    from evalkit.demo import rows, texts  # noqa: PLC0415 - --help must not wait for these
    from evalkit.serve.tools import locks  # noqa: PLC0415

    with locks.locked(place, "demo", lambda holder: notice(f"demo: another one (process {holder}) writes its data")):
        try:
            baseline, candidates = _models(named, place)
            files = rows.write(place / "rows")
            files["mmlu"] = texts.write_mmlu(place / "rows" / "mmlu")
            files["humaneval"] = texts.write_humaneval(place / "rows" / "humaneval.jsonl")
        except OSError as error:
            raise locks.unwritable(place, error) from error
    return baseline, candidates, files


def _models(named: Sequence[str], place: Path) -> tuple[Path, list[str]]:
    """The baseline, and the candidates as a config names them: those of its own by their short names."""
    from evalkit.demo import pair, rounded  # noqa: PLC0415 - --help must not wait for numpy

    baseline, quantized = pair.trained()
    own = {
        pair.QUANTIZED: lambda: quantized,
        rounded.NAME: lambda: rounded.made(baseline, place / "models" / rounded.NAME),
    }
    return baseline, [f"demo-8m.{name}={own[name]()}" if name in own else name for name in named or own]


def _interpreter(python: str, release: str, *, as_json: bool) -> str:
    """The interpreter that serves; where there is none, an environment with vLLM is made first."""
    from evalkit.cli.display import display  # noqa: PLC0415
    from evalkit.cli.run import interruptible  # noqa: PLC0415
    from evalkit.config.run_config import Serving  # noqa: PLC0415
    from evalkit.serve import tools  # noqa: PLC0415 - --help must not wait for these

    interruptible()
    with display(as_json=as_json) as say:
        return tools.interpreter(Serving(python=python, vllm=release), say, "default").python


def _dtype(python: str) -> dict[str, str]:
    """The one dtype of all models: what the processor's kernels take; on a GPU the profile's."""
    from evalkit import serve  # noqa: PLC0415 - --help must not wait for it

    return {"dtype": serve.processor(python).dtype} if serve.installed(python).device == "cpu" else {}
