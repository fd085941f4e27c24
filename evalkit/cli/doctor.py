"""``evalkit doctor``: what this machine has, and what to install for what is missing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from evalkit.base.errors import ExitCode


@click.command("doctor", help="Examine this machine: Python, vLLM, GPUs, disk, network, prompts; say what is missing.")
@click.option("--vllm-python", default="", metavar="PYTHON", help="The interpreter that has vLLM, if not this one.")
@click.option("--vllm", default="", metavar="RELEASE", help="The release to serve with, in evalkit's own environment.")
@click.option("-o", "--output", default="runs", type=click.Path(path_type=Path), help="Where runs would be written.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(vllm_python: str, vllm: str, output: Path, *, as_json: bool) -> int:
    """Print one line a finding; exit with 5 when something stands in the way of a run."""
    from evalkit.serve.doctor import examine  # noqa: PLC0415
    from evalkit.tasks import prompts, registry  # noqa: PLC0415 - --help must not wait for them

    published = {task.name: prompts.cached(task.prompt) for task in registry.tasks().values()}
    findings = examine(vllm_python, output, published, vllm)
    stands = any(finding.status == "problem" for finding in findings)
    code = ExitCode.INFRASTRUCTURE if stands else ExitCode.FINE
    if as_json:
        click.echo(json.dumps({"exit_code": int(code), "findings": [asdict(finding) for finding in findings]}))
        return code
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = {"ok": "ok", "note": "note", "problem": "MISSING"}[finding.status]
        click.echo(f"{mark:<8} {finding.name:<{width}}  {finding.detail}")
        if finding.fix:
            click.echo(f"{'':<8} {'':<{width}}  -> {finding.fix}")
    return code
