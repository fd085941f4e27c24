"""The committed example report, made anew: ``nox -s example`` writes ``reports/example/``.

Its models, answers and published table are invented, and it says so in its names and in its first notice: it shows
what a report looks like, and nothing of any model. Everything that another version of an image library could write
otherwise (the pictures) is committed in ``tests/example``; ``--pictures`` draws it anew.
"""

import sys
from functools import cache
from pathlib import Path

from evalkit import cards, report
from evalkit.base.types import Image
from evalkit.comparison import flips
from evalkit.report import Evidence
from evalkit.tasks import images
from support.rich_report import QUALITY, Cast, drawing, played, tasks, templates

HERE = Path(__file__).resolve().parent.parent / "example"
FOLDER = HERE.parents[1] / "reports/example"
COUNT = 400
PICTURES = 16
LABELS = ("invented-12b", "invented-12b-w8a8", "invented-12b-w4a16")
NOTICE = (
    "An example with invented data: there are no such models, nobody was asked, and no figure here says anything of "
    "any model or benchmark."
)


@cache
def picture(at):
    """One of the committed pictures."""
    return (HERE / f"{at % PICTURES:02}.webp").read_bytes()


def published():
    """An invented table: what an honest publisher of the first candidate would have printed."""
    rows = []
    for task in tasks():
        base, kept, _ = QUALITY[task.name]
        scores = f"{100 * base:.2f}", f"{100 * base * kept:.2f}"
        row = {"task": task.name, "category": task.category, "title": task.title, "metric": task.headline}
        rows.append({**row, "baseline": scores[0], "candidate": scores[1], "recovery": f"{100 * kept:.2f}%"})
    head = {"name": "invented", "baseline": f"example/{LABELS[0]}", "candidate": f"example/{LABELS[1]}"}
    return cards.published({**head, "source": "an invented model card", "rows": rows}, "example")


def files():
    """The example's files by name."""
    sources = tuple(f"example/{label}" for label in LABELS)
    cast = Cast(LABELS, sources, [published()], lambda at: Image.of(picture(at)), ("Vision",), [NOTICE])
    built, lists = played(cast, COUNT)
    seen = {part for _, flip in flips.in_turn(lists) for part in flip.sample.content if isinstance(part, Image)}
    evidence = Evidence(lists, {one.sha256: one.data for one in seen}, "example")
    return {
        "report.html": report.html(built, templates(), evidence),
        "report.md": report.markdown(built),
        "results.json": report.results_text(built),
    }


def draw():
    """Draw the committed pictures anew."""
    for at in range(PICTURES):
        (HERE / f"{at:02}.webp").write_bytes(images.small(drawing(at), 448))


def main():
    """Write the example."""
    if "--pictures" in sys.argv[1:]:
        draw()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
