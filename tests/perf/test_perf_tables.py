"""Figures as tables print them, and what an audit makes of tables of any measured values."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import cards, report
from evalkit.perf import outcome, tables
from evalkit.perf.cells import STREAMS, MeasuredCell
from evalkit.perf.outcome import PerfModel, PerfPlan, PerfResult
from evalkit.perf.prices import HourPrice
from evalkit.perf.uses import Use

USES = (Use("one", "Document EngineReading", 64, 128, 1680, 2240), Use("two", "Captions", 0, 128, 480, 360))
MODELS = tuple(
    PerfModel(name, f"org/{name}", name, "vllm", "0.32.0", "NVIDIA H100 x1", {}) for name in ("base", "w8a8", "fp8")
)
H100 = HourPrice("H100", 3.29, "USD", "a list", "2026-11-27")


def plan(starts=2):
    return PerfPlan(
        *(MODELS, USES, "guidellm", "0.8.1", "NVIDIA H100 x1", 1, starts),
        *({"single-stream": 3, "multi-stream": 8}, 4),
    )


def measured(model, use, stream, start, value):
    """A cell whose figure is about ``value``."""
    seconds = value if stream == "single-stream" else 1.0
    return MeasuredCell(
        *(model.label, use.name, stream, start, "", 0, 1, 3, 0, "", (seconds * 0.99, seconds, seconds * 1.01)),
        *((9, 9, 9), (128, 128, 128), value, value, 0.0, 0.1, 0.01, (), 1.0),
    )


def shown(values, price=H100, starts=2):
    """A result in which every cell has the next of ``values``."""
    given_values = itertools.cycle(values)
    keys = itertools.product(range(1, starts + 1), MODELS, USES, STREAMS)
    cells = [measured(model, use, stream, start, next(given_values)) for start, model, use, stream in keys]
    rows = outcome.rows(plan(starts), cells, price, {})
    return PerfResult("run", plan(starts), rows, outcome.savings(plan(starts), rows), price)


@given(st.lists(st.floats(min_value=0.02, max_value=50), min_size=1, max_size=24), st.sampled_from([H100, None]))
def test_an_audit_of_whatever_was_measured_finds_nothing(values, price):
    found = cards.audit(cards.card(report.perf_markdown(shown(values, price))))
    assert [one.because for one in (*found.findings, *found.doubts)] == []


def test_an_audit_reads_every_figure_of_the_cards_two_tables():
    values = [base * factor for factor in (1, 0.9) for base in (0.3, 0.31, 3.0, 3.1, 0.2, 5.0)]
    found = cards.audit(cards.card(report.perf_markdown(shown(values))))
    assert found.checked == 2 * 3 * 2 + 2 * 2
    assert {one.hardware for one in found.prices} == {"NVIDIA H100 x1"}
    (price,) = found.prices
    assert price.low <= 3.29 <= price.high


@given(st.floats(min_value=1e-6, max_value=1e7))
def test_a_figure_keeps_three_digits(value):
    text = tables.number(value)
    assert float(text) == pytest.approx(value, rel=0.005)
    assert "e" not in text


def test_an_audit_reads_the_cost_ratios_that_are_told():
    """Twice as cheap in both uses, the starts a hundredth apart."""
    once = (0.4, 2.0, 0.2, 4.0, *((0.2, 4.0, 0.1, 8.0) * 2))
    values = [base * start for start in (1, 1.01) for base in once]
    found = cards.audit(cards.card(report.perf_markdown(shown(values))))
    assert found.checked == 2 * 3 * 2 + 2 * 2
    assert [round(one.mean_ratio, 2) for one in found.savings] == [2.0] * 4
    assert (found.findings, found.doubts) == ((), ())


def test_a_published_card_has_the_same_shape():
    head, body = tables.stream_table(shown([0.5]), "single-stream")
    assert head[:5] == [
        "Hardware",
        "Model",
        "Average cost ratio",
        "Document EngineReading 1680W x 2240H 64/128 Latency (s)",
        "Document EngineReading 1680W x 2240H 64/128 Queries per dollar",
    ]
    assert [row[:2] for row in body] == [["NVIDIA H100 x1", name] for name in ("base", "w8a8", "fp8")]
    assert body[0][2] == ""


def test_an_equal_candidate_is_not_resolved():
    _, body = tables.stream_table(shown([0.5]), "single-stream")
    assert [row[2] for row in body] == ["", "not resolved", "not resolved"]


def test_the_three_readings_of_what_is_saved_are_named():
    """One use twice as cheap, the other four times: the mean says 3, one of each costs 2.1 times less."""
    cells = [
        measured(model, use, stream, start, value)
        for start in (1, 2)
        for model, values in zip(MODELS, ((4.0, 0.4), (2.0, 0.1), (4.0, 0.4)), strict=True)
        for use, value in zip(USES, values, strict=True)
        for stream in STREAMS
    ]
    rows = outcome.rows(plan(), cells, None, {})
    found = outcome.savings(plan(), rows)[0]
    assert found.mean.ratio == pytest.approx(3.0)
    assert found.pooled_ratio == pytest.approx(4.4 / 2.1)
    assert found.cheaper_percent == pytest.approx(100 * (1 - 2.1 / 4.4))
    head, body = tables.savings_table(PerfResult("run", plan(), rows, (found,), None))
    assert dict(zip(head, body[0], strict=True)) == {
        "Model": "w8a8",
        "Stream": "single-stream",
        "Mean of the uses' ratios": "x 3.00",
        "Least": "x 2.94",
        "Most": "x 3.06",
        "A/A spread": "x 1.00",
        "One query of each use": "x 2.10",
        "Money": "52 % cheaper",
    }


def test_a_cell_that_is_missing_says_why():
    lost = {"w8a8": "the server did not start", "base: one, single-stream, start 1": "x"}
    found = outcome.rows(plan(1), [], H100, lost)
    reasons = {(row.model, row.use, row.stream): row.reasons for row in found}
    assert reasons["w8a8", "two", "multi-stream"] == ("start 1: the server did not start",)
    assert reasons["base", "one", "single-stream"] == ("start 1: x",)
    assert reasons["fp8", "one", "single-stream"] == ("start 1: it was not measured",)
