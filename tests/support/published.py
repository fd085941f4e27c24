"""A run's folder, published from a plan and the answers in a store."""

from evalkit import report
from evalkit.harnesses import harness
from evalkit.records.terms import Terms
from evalkit.runs.publish import RunFolder


def publish_run(output, run, plan, store):
    """What a finished run leaves, judged by no policy; its report."""
    return RunFolder(output, run).finished(
        plan, store, lambda tallies: report.build(plan, tallies, harness, Terms()), lambda _event: None
    )
