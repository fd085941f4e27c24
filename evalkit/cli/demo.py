"""``evalkit demo``: the main job on this machine, with no GPU, no network and no account."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.ending import notice

_SERVE = {
    # The models are tiny: compiling them would take longer than the demo itself.
    "enforce-eager": True,
    # Of so small a model a step costs the same for 64 requests as for 16, nearly all of it Python: a quarter less CPU.
    "max-num-seqs": 64,
    # Room for as many of its longest contexts in float32. vLLM fills what it is given: 3 GiB took it 6 seconds.
    "kv-cache-memory-bytes": 2**29,
}
_TAKES = "2 to 3 minutes on two quiet cores, 4 where vLLM starts for the first time"
"""The whole of it, as measured: docs/explanation/speed.md."""


@click.command(
    "demo", help="Run the main job here: real vLLM, a small trained model and its W8A8 quantization, seven small tasks."
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="N samples of each task, drawn at random: a quick taste."
)
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    metavar="MODEL",
    help="In place of the packed one: what you made of the demonstration's baseline with evalkit quantize.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="A task beside the seven, such as one of your own; repeat it.",
)
@click.option("--data", multiple=True, metavar="TASK=FILE", help="Local rows of such a task; repeat it.")
@click.option("--min-recovery", type=float, metavar="PERCENT", help="What the candidate has to keep.")
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
    """Make a vLLM where there is none, write the data, then run the suite ``demo`` on the trained pair."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - --help must not wait for these

    from evalkit.cli.run import carry_out  # noqa: PLC0415
    from evalkit.config import run_config  # noqa: PLC0415
    from evalkit.demo import pair, rows, texts  # noqa: PLC0415

    notice("demo: a small model trained on drawn pictures; its scores say nothing about any real model")
    python = _interpreter(vllm_python, vllm, as_json=as_json)
    notice(f"demo: {'a part of it' if given['limit'] else 'all of it'}; the whole takes {_TAKES}")
    place = user_cache_path("evalkit") / "demo"
    baseline, candidate = pair.trained()
    files = rows.write(place / "rows")
    files["mmlu"] = texts.write_mmlu(place / "rows" / "mmlu")
    files["humaneval"] = texts.write_humaneval(place / "rows" / "humaneval.jsonl")
    settings: dict[str, Any] = {
        "baseline": f"demo-8m={baseline}",
        "candidates": [f"demo-8m.w8a8={candidate}"],
        "suite": "demo",
        "tasks": list(given.pop("tasks")),
        "data": {f"demo-{name}": str(path) for name, path in files.items()},
        "output": output,
        "unsafe_exec": unsafe_exec,
        "serve": {"python": python, "args": {**_SERVE, **_dtype(python)}},
    }
    return carry_out(run_config.resolved(settings, "evalkit demo", given), as_json=as_json)


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
    """The one dtype of both models: what the processor's kernels take; on a GPU the profile's."""
    from evalkit import serve  # noqa: PLC0415 - --help must not wait for it

    return {"dtype": serve.processor(python).dtype} if serve.installed(python).device == "cpu" else {}
