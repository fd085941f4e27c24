import tomllib
from pathlib import Path

import pytest

from evalkit.base.errors import ConfigError
from evalkit.cards import PublishedRow, Standing, audit, beside, card_of, published
from evalkit.cards.figures import Printed
from evalkit.files import resources
from evalkit.stats import RecoveryInterval
from evalkit.tasks import registry

FILES = sorted((resources.tasks() / "published").glob("*.toml"))

TABLE = """
name = "t"
baseline = "base"
candidate = "cand"
source = "a page"
[[rows]]
category = "Vision"
title = "MMMU"
task = "mmmu"
baseline = "48.00"
candidate = "46.22"
recovery = "96.29%"
n = 900
[[rows]]
category = "Text"
title = "own"
baseline = "60.0"
candidate = "57.0"
recovery = "95.0"
n = 10
[[averages]]
title = "Average"
baseline = "54.0"
candidate = "51.6"
"""

COSTS = """
name = "t"
baseline = "base"
candidate = "cand"
source = "a page"
rows = []
[[costs]]
stream = "multi-stream"
hardware = "L4"
model = "base"
measured = ["1.0", "2.0"]
queries_per_dollar = ["1800", "3600"]
[[costs]]
stream = "multi-stream"
hardware = "L4"
model = "cand"
measured = ["2.0", "2.0"]
queries_per_dollar = ["3600", "3600"]
cost_reduction = "1.50"
"""


def read(text):
    return published(tomllib.loads(text), "t.toml")


def interval(low, high, percent=97.0):
    return RecoveryInterval(percent, low, high, "fieller", 900, 900)


def row(**figures):
    return PublishedRow("MMMU", **{key: Printed.parse(text) for key, text in figures.items()})


def test_a_table_and_its_audit():
    table = read(TABLE)
    assert table.row("mmmu").recovery.text == "96.29%"
    assert table.row("") is None
    assert table.average("").title == "Average"
    found = audit(card_of(table))
    assert (found.checked, found.findings) == (4, ())
    assert [(one.row, one.n) for one in found.noise] == [("Vision: MMMU", 900), ("Text: own", 10), ("Average", 910)]


def test_wrong_figures_in_a_table_are_found():
    (one,) = audit(card_of(read(TABLE.replace("51.6", "52.6")))).findings
    assert (one.row, one.printed, one.right) == ("Average", "52.6", "51.6")
    (one,) = audit(card_of(read(COSTS.replace("1.50", "1.60")))).findings
    assert (one.printed, one.right) == ("1.60", "1.50")
    assert audit(card_of(read(COSTS))).findings == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"48.00"', "48.00", "rows[0].baseline"),
        ('"48.00"', '"about 48"', "is not one number"),
        ("recovery =", "recovry =", "did you mean 'recovery'"),
        ("n = 900", "n = 0", "rows[0].n"),
        ('title = "own"', 'title = "own"\ntask = "mmmu"', "two rows for the task 'mmmu'"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(old, new, said):
    with pytest.raises(ConfigError) as caught:
        read(TABLE.replace(old, new))
    assert said in caught.value.message
    assert caught.value.message.startswith("t.toml: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["1.0", "2.0"]', '["1.0"]', "lists of different lengths"),
        (
            '["1.0", "2.0"]\nqueries_per_dollar = ["1800", "3600"]',
            '["1.0"]\nqueries_per_dollar = ["1800"]',
            "use cases",
        ),
        ("multi-stream", "multi", "choice"),
    ],
)
def test_wrong_costs_are_refused(old, new, said):
    with pytest.raises(ConfigError) as caught:
        read(COSTS.replace(old, new, 1))
    assert said in caught.value.message


def test_nothing_published_is_refused():
    with pytest.raises(ConfigError, match="at least one row"):
        read(COSTS.partition("[[costs]]")[0])


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [
        (95.0, 99.0, Standing.INSIDE),
        (96.294, 99.0, Standing.INSIDE),  # 96.29 may stand for 96.294
        (96.296, 99.0, Standing.BELOW),
        (90.0, 96.286, Standing.INSIDE),
        (90.0, 96.284, Standing.ABOVE),
    ],
)
def test_published_beside_measured(low, high, standing):
    found = beside(row(baseline="48.00", candidate="46.22", recovery="96.29%"), interval(low, high))
    assert (found.standing, found.published, found.low, found.high) == (standing, pytest.approx(96.29), low, high)
    assert (standing == Standing.INSIDE) == ("outside" not in standing)


def test_without_a_printed_recovery_the_scores_speak():
    scores = row(baseline="48.0", candidate="46.2")
    assert beside(scores, interval(96.4, 99.0)).standing == Standing.INSIDE  # 46.25 / 47.95 is 96.45
    assert beside(scores, interval(96.5, 99.0)).standing == Standing.BELOW
    assert beside(row(baseline="0.0", candidate="1.0"), interval(90, 99)).standing == Standing.NOT_PUBLISHED


def test_without_a_measured_interval_nothing_is_said():
    measured = RecoveryInterval(None, None, None, None, 0, 0, "the baseline scored 0")
    found = beside(row(baseline="48.00", candidate="46.22", recovery="96.29%"), measured)
    assert (found.standing, found.measured) == (Standing.NO_INTERVAL, None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_ships_can_be_read_and_names_tasks_that_exist(path):
    table = published(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    assert table.name == path.stem
    known = registry.tasks()
    for one in table.rows:
        if one.task in known:
            task = known[one.task]
            assert (task.title, task.category, task.headline) == (one.title, one.category, one.metric)
    assert {one.task for one in table.rows} & set(known)


def test_the_published_pixtral_table_ships():
    (path,) = [path for path in FILES if path.name == "pixtral-12b-quantized.w8a8.toml"]
    found = audit(card_of(published(tomllib.loads(Path(path).read_text(encoding="utf-8")), str(path))))
    assert [(one.printed, one.right) for one in found.findings] == [
        ("70.07", "70.87"),
        ("70.09", "70.49"),
        ("100.03%", "99.47%"),
    ]
