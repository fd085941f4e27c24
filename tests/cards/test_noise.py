import pytest

from evalkit.cards import audit, card
from evalkit.stats import PublishedScore, unpaired_recovery


def rows(text):
    return {one.row: one for one in audit(card(text)).noise}


def test_each_known_row_has_the_unpaired_interval_of_its_size():
    found = rows(
        "Task | A | B | Recovery\n-|-|-|-\nMMMU (val) | 48.00 | 46.22 | 96.29\n"
        "VQAv2 (val) | 78.71 | 78.00 | 99.10\nmine | 5 | 4 | 80\n"
    )
    assert set(found) == {"MMMU (val)", "VQAv2 (val)"}
    expected = unpaired_recovery([PublishedScore(900, 0.48, 0.4622)])
    assert (found["MMMU (val)"].low, found["MMMU (val)"].high) == pytest.approx((expected.low, expected.high))
    assert found["MMMU (val)"].is_noise
    assert not found["VQAv2 (val)"].is_noise
    assert "Yue" in found["MMMU (val)"].source


def test_shares_and_percentages_give_the_same():
    percent = rows("Task | A | B\n-|-|-\nMMLU | 71.4 | 70.5\n")["MMLU"]
    share = rows("Task | A | B\n-|-|-\nMMLU | 0.714 | 0.705\n")["MMLU"]
    assert (percent.low, percent.high) == pytest.approx((share.low, share.high))


def test_an_average_has_an_interval_when_every_row_has():
    text = (
        "Task | A | B | Recovery\n-|-|-|-\nMMMU | 48.00 | 46.22 | 96.29\n{}"
        "DocVQA | 89.47 | 89.35 | 99.87\nAverage | 68.7 | 67.8 | 98.6\n"
    )
    expected = unpaired_recovery([PublishedScore(900, 0.48, 0.4622), PublishedScore(5349, 0.8947, 0.8935)])
    assert rows(text.format(""))["Average"].low == pytest.approx(expected.low)
    assert "Average" not in rows(text.format("mine | 55 | 54 | 98.18\n"))


def test_scores_that_are_no_shares_have_no_interval():
    assert not rows("Task | A | B\n-|-|-\nMMLU | 714 | 705\nHumanEval | 0.0 | 0.0\n")


def test_a_rounding_error_beyond_the_whole_is_none():
    share = rows("Task | A | B\n-|-|-\nMMLU | 1.0000001 | 0.705\n")["MMLU"]
    percent = rows("Task | A | B\n-|-|-\nMMLU | 100.00001 | 70.5\n")["MMLU"]
    assert (share.low, share.high) == pytest.approx((percent.low, percent.high))
    assert share.high < 80


def test_scores_rescaled_by_chance_have_no_interval():
    head = "| Category | Task | base | base-FP8 |\n|---|---|---|---|\n"
    rows = (
        "| Leaderboard | MuSR | {} | 37.0 |\n| Leaderboard | BBH | 52.0 | 51.0 |\n"
        "| Leaderboard | IFEval | 80.0 | 79.0 |\n"
    )
    raw, rescaled = (audit(card(head + rows.format(score))).noise for score in ("38.0", "7.6"))
    assert [one.row for one in raw] == ["Leaderboard: MuSR", "Leaderboard: BBH", "Leaderboard: IFEval"]
    assert [one.row for one in rescaled] == ["Leaderboard: IFEval"]


def test_an_interval_allows_for_rounding():
    fine, coarse = (
        audit(card(f"| Task | BF16 | FP8 |\n|---|---|---|\n| MMLU-Pro | {base} | {cand} |\n")).noise[0]
        for base, cand in (("0.8500", "0.8400"), ("0.85", "0.84"))
    )
    assert not fine.is_noise
    assert coarse.is_noise
    assert coarse.low < fine.low < fine.high < coarse.high


@pytest.mark.parametrize(("unit", "decimals"), [(100, 2), (1, 4)])
def test_a_score_below_one_percent_is_read_in_the_table_s_unit(unit, decimals):
    scores = {"MMLU-Pro": (0.2400, 0.2310), "MATH-lvl-5": (0.0098, 0.0053), "IFEval": (0.4002, 0.4012)}
    rows = "".join(
        f"| {name} | {unit * base:.{decimals}f} | {unit * cand:.{decimals}f} |\n"
        for name, (base, cand) in scores.items()
    )
    found = {one.row: one for one in audit(card("| Task | BF16 | FP8 |\n|---|---|---|\n" + rows)).noise}
    small = found["MATH-lvl-5"]
    assert (round(small.baseline, 2), round(small.score, 2), small.is_noise) == (0.98, 0.53, True)
    assert round(found["MMLU-Pro"].recovery, 2) == 96.25
