"""Weights & Biases: a run of the project ``evalkit``; ``WANDB_MODE=offline`` keeps it on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import wandb

from evalkit.trackers.tracked_run import PROJECT

if TYPE_CHECKING:
    from evalkit.trackers.tracked_run import TrackedRun

_PATIENCE_S: Final = 60


def keep(run: TrackedRun) -> str:
    """Summary, configuration and an artefact; the run of the same id is gone on with."""
    quiet = wandb.Settings(
        silent=True,
        console="off",
        # Nobody may be there to answer a question.
        login_timeout=_PATIENCE_S,
        init_timeout=_PATIENCE_S,
        x_disable_stats=True,
        x_disable_meta=True,
        save_code=False,
        disable_git=True,
    )
    one = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
        id=run.id,
        name=run.id,
        resume="allow",
        dir=os.environ.get("WANDB_DIR") or run.folder,
        config=dict(run.words),
        settings=quiet,
    )
    with one:
        one.summary.update(dict(run.numbers))
        report = wandb.Artifact(f"evalkit-{run.id}", "evalkit-report")
        for path in run.files:
            report.add_file(str(path))
        one.log_artifact(report)
    return one.url or f"wandb, offline: wandb sync {one.settings.sync_dir}"
