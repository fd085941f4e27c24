"""``evalkit demo``: the main job on this machine, with no GPU, no network and no account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

SAMPLES = 24
"""Of each task. The models have random weights: more samples would take longer and say no more."""

_SERVE = {
    # The models are tiny: compiling them would take longer than the demo itself.
    "enforce-eager": True,
    "max-num-seqs": 16,
}


@click.command("demo", help="Run the main job here: real vLLM, two tiny models and drawn data, all made on the spot.")
@click.option("--limit", type=click.IntRange(min=1), default=SAMPLES, show_default=True, help="Samples of each task.")
@click.option("-o", "--output", default="runs", show_default=True, metavar="FOLDER", help="Where runs are written.")
@click.option("--vllm-python", default="", metavar="PYTHON", help="The interpreter that has vLLM, if not this one.")
@click.option("--fresh", is_flag=True, help="Ask everything again.")
@click.option("--json", "as_json", is_flag=True, help="Results as one JSON object on standard output.")
def command(limit: int, output: str, vllm_python: str, *, fresh: bool, as_json: bool) -> int:
    """Make models and data, then run the suite ``demo`` on them."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - --help must not wait for these

    from evalkit import config  # noqa: PLC0415
    from evalkit.cli.run import carry_out  # noqa: PLC0415
    from evalkit.demo import pair, rows  # noqa: PLC0415

    click.echo(
        "demo: models with random weights, drawn pictures; its scores say nothing about any real model", err=True
    )
    place = user_cache_path("evalkit") / "demo"
    baseline, candidate = pair.made(place / "models", vllm_python)
    files = rows.write(place / "rows", limit)
    settings: dict[str, Any] = {
        "baseline": str(baseline),
        "candidates": [str(candidate)],
        "suite": "demo",
        "data": {f"demo-{name}": str(Path(path)) for name, path in files.items()},
        "output": output,
        "fresh": fresh,
        "serve": {"python": vllm_python, "args": _SERVE},
    }
    return carry_out(config.from_mapping(settings, "evalkit demo"), as_json=as_json)
