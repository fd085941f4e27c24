"""trackio: a run of the project ``evalkit`` in the folder of ``TRACKIO_DIR``, shown by ``trackio show``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trackio

from evalkit.trackers.tracked_run import PROJECT

if TYPE_CHECKING:
    from evalkit.trackers.tracked_run import TrackedRun


def keep(run: TrackedRun) -> str:
    """Configuration, one step of numbers, and an artefact; the run of the same name is gone on with."""
    project = os.environ.get("TRACKIO_PROJECT") or PROJECT
    one = trackio.init(
        project=project,
        name=run.id,
        config=dict(run.words),
        resume="allow",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    try:
        one.log(dict(run.numbers))
        report = trackio.Artifact(f"evalkit-{run.id}", "evalkit-report")
        for path in run.files:
            report.add_file(str(path))
        one.log_artifact(report)
    finally:
        one.finish()
    return f"trackio show --project {project}"
