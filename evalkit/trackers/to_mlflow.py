"""MLflow: a run of the experiment ``evalkit``, at the address in ``MLFLOW_TRACKING_URI``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from evalkit.trackers.tracked_run import PROJECT

# A server that is not there is given up after seconds: by itself the library tries for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from mlflow.tracking import MlflowClient

if TYPE_CHECKING:
    from evalkit.trackers.tracked_run import TrackedRun

_TAG: Final = "evalkit.run"


def keep(run: TrackedRun) -> str:
    """Tags, metrics and artefacts; the run that has the same id as its tag is written again."""
    client = MlflowClient()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    found = client.search_runs([experiment], f"tags.`{_TAG}` = '{run.id}'", max_results=1)
    one = found[0] if found else client.create_run(experiment, run_name=run.id, tags={_TAG: run.id})
    key = one.info.run_id
    for name, text in run.words.items():
        client.set_tag(key, name, text)
    for name, value in run.numbers.items():
        client.log_metric(key, name, float(value))
    for path in run.files:
        client.log_artifact(key, str(path))
    client.set_terminated(key)
    return f"mlflow, experiment {experiment}, run {key}"
