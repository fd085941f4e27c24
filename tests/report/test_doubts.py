"""What speaks against the baseline as a measure is told before the recoveries, everywhere."""

import json
import math
import re

import pytest

from evalkit import cards, report
from evalkit.base.errors import ConfigError, DataError
from evalkit.base.scores import SampleScore
from evalkit.records.terms import Terms
from evalkit.tasks import registry
from support.commands import evalkit
from support.reports import built
from support.rich_report import templates
from support.workplaces import fitted_out

MOST = [True] * 350 + [False] * 50


def table(baseline, metric="anls"):
    row = {"category": "Vision", "title": "DocVQA", "task": "docvqa", "metric": metric}
    row |= {"baseline": baseline, "candidate": "80.00"}
    head = {"name": "t", "baseline": "base", "candidate": "other", "source": "a page"}
    return cards.published({**head, "rows": [row]}, "t")


def with_card(baseline, **more):
    return built({"base": [MOST], "cand": [MOST]}, terms=Terms(published=(table(baseline, **more),)))


def test_a_baseline_that_is_not_what_its_card_says_is_told_first_everywhere():
    one = with_card("95.00")
    (doubt,) = one.doubts
    assert doubt.startswith("base scores 87.50 [83.")
    assert "95.00 stands on its card (a page)" in doubt
    assert report.markdown(one).index("Before you read on: base scores 87.50") < report.markdown(one).index("RECOVERY")
    assert "Before you read on: base scores 87.50" in report.summary(one)
    assert doubt in report.model_card(one, "cand")
    page = re.sub(r"<[^>]+>", "", report.html(one, templates()))
    assert page.index("Before you read on: base scores 87.50") < page.index("Can I trust it?")
    found = json.loads(report.results_text(one))
    assert found["doubts"] == [doubt]
    assert found["tasks"][0]["own_card"]["outside"] is True
    # What the run has told as a notice is not told twice.
    again = built({"base": [MOST], "cand": [MOST]}, terms=Terms(published=(table("95.00"),)), notices=one.doubts)
    assert report.markdown(again) == report.markdown(one)


@pytest.mark.parametrize("printed", ["87.50", "88", "85.1", "90"])
def test_a_card_within_interval_and_rounding_is_no_doubt(printed):
    one = with_card(printed)
    assert not one.doubts
    assert one.rows[0].own_card.printed == printed


def test_what_differs_between_subjects_is_no_chance_of_a_score_beside_its_card():
    """Four easy subjects and four hard ones, fixed: only what varies within them could have come out otherwise."""
    right = [(subject, float(at < (95 if subject < 4 else 45))) for subject in range(8) for at in range(100)]
    scores = [SampleScore(str(at), value, stratum=f"subject {own}") for at, (own, value) in enumerate(right)]
    loose = [SampleScore(str(at), value) for at, (_, value) in enumerate(right)]
    narrow, wide = (report.own_card("docvqa", "anls", "base", side, (table("75.00"),)) for side in (scores, loose))
    assert narrow.measured == wide.measured == pytest.approx(0.7)
    error = math.sqrt(sum(p * (1 - p) / 99 for p in [0.95] * 4 + [0.45] * 4) / 64)
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 * error, rel=0.01)
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * math.sqrt(0.7 * 0.3 / 799), rel=0.01)
    assert (narrow.outside, report.own_card("docvqa", "anls", "base", scores, (table("73.00"),)).outside) == (
        True,
        True,
    )
    assert not report.own_card("docvqa", "anls", "base", loose, (table("73.00"),)).outside


def test_another_metric_or_another_model_is_not_held_against_it():
    assert with_card("10.00", metric="acc").rows[0].own_card is None
    one = built({"someone": [MOST], "cand": [MOST]}, terms=Terms(published=(table("10.00"),)))
    assert one.rows[0].own_card is None


def test_rounding_counts():
    high = with_card("87.50").rows[0].own_card.high * 100
    assert not with_card(f"{high + 0.4:.0f}").doubts or f"{high + 0.4:.0f}" != f"{high:.0f}"
    assert with_card(f"{high + 0.02:.2f}").doubts


@pytest.mark.parametrize(("right", "told"), [(350, False), (365, False), (385, True)])
def test_a_candidate_that_is_much_better_is_told(right, told):
    one = built({"base": [MOST], "cand": [[True] * right + [False] * (400 - right)]})
    assert bool(one.doubts) is told
    if told:
        assert one.doubts[0].startswith("cand scores 96.25 on DocVQA (val) beside its baseline's 87.50: ")


CARD = "| Task | base | cand | Recovery (%) |\n|-|-|-|-|\n| DocVQA (val) | 95.00 | 90.00 | 94.74% |\n"


def test_a_card_file_is_read_by_the_names_of_known_benchmarks(tmp_path):
    (tmp_path / "card.md").write_text(CARD)
    first, *shipped = registry.published([str(tmp_path / "card.md")], "org/base")
    assert (first.baseline, first.score("org/base", "docvqa", "anls").text) == ("org/base", "95.00")
    assert shipped == registry.published()


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "empty.md").write_text("nothing")
    (tmp_path / "wrong.toml").write_text("name = 1")
    with pytest.raises(DataError, match="no score of a known benchmark"):
        registry.published([str(tmp_path / "empty.md")])
    with pytest.raises(ConfigError):
        registry.published([str(tmp_path / "wrong.toml")])
    with pytest.raises(DataError, match="cannot be read"):
        registry.published([str(tmp_path / "none.md")])


def test_a_run_tells_it_and_the_stored_report_is_the_same(tmp_path):
    workplace = fitted_out(tmp_path)
    row = '[[rows]]\ntask = "pages"\ntitle = "Pages"\nbaseline = "0.00"\ncandidate = "0.00"\n'
    (workplace.folder / "own.toml").write_text(
        f'name = "t"\nbaseline = "any"\ncandidate = "c"\nsource = "a page"\n{row}'
    )
    done = workplace.here(*workplace.comparison("--published", "own.toml"), check=0)
    assert "base scores " in done.stderr
    assert json.loads(done.stdout)["doubts"][0].startswith("base scores ")
    (run,) = workplace.folder.glob("runs/2*")
    assert any("stands on its card (a page)" in text for text in json.loads((run / "run.json").read_text())["notices"])
    before = (run / "report.md").read_bytes()
    assert evalkit("report", run, "--format", "md", "-o", tmp_path / "again").code == 0
    assert (tmp_path / "again/report.md").read_bytes() == before
    bad = workplace.here(*workplace.comparison("--published", "nothing.md"), check=2)
    assert "nothing.md: cannot be read (No such file or directory); correct --published" in bad.stderr
