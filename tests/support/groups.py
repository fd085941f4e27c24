"""Groups of samples of which a candidate has lost some, put into a report."""

from dataclasses import replace

from evalkit.base.scores import SampleScore
from evalkit.comparison import pairs
from evalkit.comparison.pairs import Side
from support.rich_report import LABELS


def compared(name, n, lost):
    """A group of samples that the baseline has right but for two, and of which the candidate has lost some."""
    right = {f"{name} {at}": 0.0 if at < 2 else 1.0 for at in range(n)}
    worse = {key: 0.0 if at < 2 + lost else 1.0 for at, key in enumerate(right)}
    sides = [
        Side(label, {key: SampleScore(key, value) for key, value in scores.items()}, planned=n)
        for label, scores in zip(LABELS[:2], (right, worse), strict=True)
    ]
    return pairs.compare(name, *sides)


def with_groups(built, losses, n=40):
    """The report with a group for each number of lost samples, all of its last task and its first candidate."""
    *others, last = (replace(row, groups={}) for row in built.rows)
    groups = {f"subject {at}": compared(f"subject {at}", n, lost) for at, lost in enumerate(losses)}
    return replace(built, rows=(*others, replace(last, groups={LABELS[1]: groups})))
