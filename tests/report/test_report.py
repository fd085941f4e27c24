import dataclasses
import json
from html.parser import HTMLParser

import pytest

from evalkit import cards, report
from evalkit.base.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Model, Sample, Task, Text
from evalkit.comparison.score import Tally
from evalkit.config.policy import Policy, Rule
from evalkit.files import resources
from evalkit.harnesses import harness
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.results import FORMAT
from evalkit.records.terms import Terms

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> [x](javascript:alert(1)) \u202e|`'


def task(name="docvqa", title="DocVQA (val)", category="Vision"):
    return Task(
        name=name,
        benchmark="docvqa",
        dataset=Dataset("d", "validation"),
        prompt="p",
        decoding=Decoding(10),
        metrics=("anls",),
        headline="anls",
        dialect="neuralmagic",
        category=category,
        title=title,
    )


def contender(label, digest="sha256:1"):
    return Contender(Model(label, label, digest), Engine("vllm", "0.32.0", "cpu"))


def tally(one, part, outcomes):
    total = Tally(part.task, one.model.label, harness(part.task))
    for number, outcome in enumerate(outcomes):
        several = part.task.decoding.n
        name = str(number) if several == 1 else f"{number // several}#{number % several}"
        sample = Sample(name, (Text("q"),), ["right"])
        if outcome is None:
            total.add(sample, Failure(FailureKind.DEADLINE, "slow"))
        else:
            total.add(sample, Answer("right" if outcome else "#####", "stop", 1, 3, 0.1))
    return total


TASK = task()


def built(outcomes, *, labels=("base", "cand"), tasks=(TASK,), smoke=False, terms=None):
    """A report; ``outcomes[label][task]`` are True, False or None."""
    contenders = [contender(label) for label in labels]
    count = len(outcomes[labels[0]][0])
    parts = tuple(PlannedTask(one, "listing", count, count * (2 if smoke else 1), "rev") for one in tasks)
    tallies = {
        (one.model.label, part.task.name): tally(one, part, outcomes[one.model.label][number])
        for one in contenders
        for number, part in enumerate(parts)
    }
    return report.build(Plan(contenders[0], tuple(contenders[1:]), parts, smoke=smoke), tallies, harness, terms)


def templates():
    return {path.name: path.read_text(encoding="utf-8") for path in resources.reports().iterdir() if path.is_file()}


RIGHT, MIXED = [True] * 4, [True, True, True, False]
AT_99 = Terms(policy=Policy(min_recovery=99))


def test_the_table_has_the_published_shape():
    two = (task(), task("chartqa", "ChartQA (test, CoT)"))
    text = report.markdown(built({"base": [RIGHT, RIGHT], "cand": [MIXED, RIGHT]}, tasks=two))
    assert "| Category | Metric | base | cand | Recovery (%) |" in text
    assert "| Vision | DocVQA (val) anls | 100.00 | 75.00 | 75.00% [" in text
    assert "| Vision | Average Score | 100.00 | 87.50 | 87.50% [" in text


def test_the_shown_table_is_one_that_an_audit_reads():
    two = (task(), task("chartqa", "ChartQA (test, CoT)"))
    wrong = report.markdown(built({"base": [RIGHT, RIGHT], "cand": [MIXED, RIGHT]}, tasks=two))
    assert not cards.audit(cards.card(wrong)).findings
    assert cards.audit(cards.card(wrong.replace("87.50% [", "88.50% ["))).findings


def test_a_threshold_adds_the_verdict():
    one = built({"base": [RIGHT], "cand": [MIXED]}, terms=AT_99)
    head, body = report.table(one)
    assert head == ["Category", "Metric", "base", "cand", "Recovery (%)", "Verdict"]
    assert body[0][-1] == "undecided"
    (sentence,) = report.sentences(one)
    assert sentence.startswith("RECOVERY 75.0 % [")
    assert "undecided at >= 99 % (n = 4; this task cannot decide at 99 %: all 4 samples are asked)" in sentence
    assert sentence.endswith(": DocVQA (val), cand beside base")
    assert "at >= 99 %" in report.markdown(one)
    assert "undecided" in report.html(one, templates())


def test_a_single_task_has_no_average_row():
    assert report.AVERAGE not in report.markdown(built({"base": [RIGHT], "cand": [MIXED]}))


def test_only_chosen_categories_are_averaged():
    four = tuple(task(f"t{number}", category="Vision" if number < 2 else "Text") for number in range(4))
    outcomes = {"base": [RIGHT] * 4, "cand": [MIXED] * 4}
    assert [one.category for one in built(outcomes, tasks=four).averages] == ["Vision", "Text"]
    chosen = built(outcomes, tasks=four, terms=Terms(averaged=("Vision",), policy=Policy(min_recovery=99)))
    assert [one.category for one in chosen.averages] == ["Vision"]
    # What no average covers has to hold by itself.
    assert [row.judgements["cand"].rule.tier for row in chosen.rows] == ["supporting"] * 2 + ["critical"] * 2


def test_several_candidates_stand_side_by_side():
    head, body = report.table(built({"base": [RIGHT], "a": [MIXED], "b": [RIGHT]}, labels=("base", "a", "b")))
    assert head == ["Category", "Metric", "base", "a", "Recovery (%)", "b", "Recovery (%)"]
    assert [cell.partition(" [")[0] for cell in body[0]] == [
        *("Vision", "DocVQA (val) anls", "100.00"),
        *("75.00", "75.00%", "100.00", "100.00%"),
    ]


def test_shown_scores_give_the_shown_recovery_when_samples_are_missing():
    _, body = report.table(built({"base": [[True, True, False, False]], "cand": [[None, True, False, False]]}))
    assert body[0][2:4] == ["33.33", "33.33"]
    assert body[0][4].startswith("100.00% [")


def test_failures_are_told_with_bounds_and_never_as_wrong_answers():
    found = "\n".join(report.completeness(built({"base": [RIGHT], "cand": [[True, True, True, None]]})))
    assert "1 of 4 samples has no answer (1 deadline)" in found
    assert "between 75.0 % and 100.0 %" in found


def test_an_undefined_recovery_is_a_dash_with_its_reason():
    one = built({"base": [[False] * 4], "cand": [MIXED]})
    assert report.table(one)[1][0][-1] == "–"
    assert "undefined" in report.sentences(one)[0]
    assert "the baseline scored 0" in report.sentences(one)[0]
    assert json.loads(report.results_text(one))["tasks"][0]["recovery"]["cand"]["percent"] is None


@pytest.mark.parametrize(
    ("candidate", "terms", "code"),
    [
        ([True] * 400, Terms(policy=Policy(min_recovery=95)), 0),
        ([True] * 300 + [False] * 100, Terms(policy=Policy(min_recovery=95)), 1),
        ([True] * 385 + [False] * 15, Terms(policy=Policy(min_recovery=96)), 3),
        ([True] * 390 + [None] * 10, Terms(policy=Policy(min_recovery=95)), 4),
        ([True] * 390 + [None] * 10, Terms(policy=Policy(min_recovery=95, max_failed=0.05)), 0),
        ([True] * 300 + [False] * 100, Terms(), 0),
        ([True] * 390 + [None] * 10, Terms(), 4),
        ([True] * 390 + [None] * 10, Terms(policy=Policy(max_failed=0.05)), 0),
        ([True] * 300 + [False] * 100, Terms(policy=Policy(95, tasks={"docvqa": Rule(tier="advisory")})), 0),
    ],
)
def test_the_exit_code_is_the_verdicts(candidate, terms, code):
    assert built({"base": [[True] * 400], "cand": [candidate]}, terms=terms).outcome.exit_code == code


def test_a_baseline_alone_that_lost_answers_is_incomplete():
    assert built({"base": [[True, None]]}, labels=("base",)).outcome.exit_code == 4
    assert built({"base": [RIGHT]}, labels=("base",)).outcome.exit_code == 0


def test_a_smoke_run_never_recovers():
    one = built({"base": [[True] * 400], "cand": [[True] * 400]}, terms=Terms(policy=Policy(95)), smoke=True)
    assert one.rows[0].judgements["cand"].verdict == "undecided"
    assert one.outcome.exit_code == 3


def test_where_all_samples_are_asked_no_number_says_how_many_more_would_decide():
    two = (task(), task("chartqa"))
    mixed = [True] * 97 + [False] * 3
    one = built({"base": [[True] * 100] * 2, "cand": [mixed, mixed]}, tasks=two, terms=Terms(policy=Policy(96)))
    judged = one.averages[0].judgements["cand"]
    assert judged.verdict == "undecided"
    assert judged.more is None
    told = report.results_json(one)["averages"][0]["recovery"]["cand"]
    assert (told["more"], told["more_range"]) == (None, None)
    assert "this average cannot decide at 96 %: all 200 samples are asked" in report.sentences(one)[0]


ATTEMPTS = dataclasses.replace(task("code"), decoding=Decoding(10, n=5))


def attempts(problems, lost=()):
    """Five attempts at each problem, of which ``lost`` (by position) have no answer."""
    return [None if at in lost else True for at in range(5 * problems)]


def test_attempts_are_paired_by_problem_and_lost_ones_count_by_themselves():
    whole = attempts(20)
    # 4 of 100 attempts are lost, yet every problem still has a score.
    ragged = attempts(20, lost=(0, 11, 22, 33))
    one = built({"base": [whole], "cand": [ragged]}, tasks=(ATTEMPTS,), terms=Terms(policy=Policy(90)))
    found = one.rows[0].judgements["cand"]
    assert (found.comparison.n, found.comparison.planned, found.comparison.lost) == (20, 20, 0.0)
    assert found.verdict == "incomplete"
    assert "4 of 100 attempts of cand have no answer (4 %" in found.reasons[0]
    assert "4 of 100 attempts of cand" in report.sentences(one)[0]
    kind = Terms(policy=Policy(50, max_failed=0.05))
    assert built({"base": [whole], "cand": [ragged]}, tasks=(ATTEMPTS,), terms=kind).rows[0].judgements[
        "cand"
    ].verdict == ("recovered")


# --- what can make two models incomparable ---


FILES = {"chat_template": "t", "tokenizer": "k", "generation_config": "g"}


def checkpoint(**more):
    given = {"scheme": "not quantized", "quantized": False, "weight_bytes": 100, "dtypes": {"BF16": 100}}
    return Checkpoint(**{**given, "files": FILES, "dtype": "bfloat16", **more})


QUANTIZED = {"scheme": "W8A8 int", "quantized": True, "weight_bytes": 60, "layers": {"language_model": 14}}


def test_equal_files_are_comparable_and_the_digests_of_both_are_told():
    files = {"base": checkpoint(), "cand": checkpoint(**QUANTIZED)}
    one = built({"base": [RIGHT], "cand": [RIGHT]}, terms=Terms(checkpoints=files))
    found = json.loads(report.results_text(one))["tasks"][0]["comparability"]
    assert found["differences"] == {"cand": []}
    assert found["unknown"] == {}
    for label in ("base", "cand"):
        told = found["settings"][label]
        assert told["samples"] == "listing"
        assert told["chat_template"] == "t"
        assert {"prompt", "decoding", "metric", "dialect", "metric_version", "revision", "vllm", "dtype"} <= set(told)


@pytest.mark.parametrize("key", ["chat_template", "tokenizer", "generation_config"])
def test_another_file_makes_the_row_not_comparable_until_it_is_accepted(key):
    files = {"base": checkpoint(), "cand": checkpoint(**QUANTIZED, files={**FILES, key: None})}
    outcomes = {"base": [RIGHT], "cand": [RIGHT]}
    one = built(outcomes, terms=Terms(checkpoints=files))
    found = one.rows[0].judgements["cand"]
    assert found.verdict == "not_comparable"
    assert found.comparison.recovery.percent is None
    assert key in report.sentences(one)[0]
    assert one.outcome.exit_code == 4
    accepted = built(outcomes, terms=Terms(checkpoints=files, accepted=(key,)))
    assert accepted.rows[0].judgements["cand"].comparison.recovery.percent == 100.0
    assert accepted.outcome.exit_code == 0
    assert any("accepted difference" in text and key in text for text in report.completeness(accepted))
    assert any("accepted as intended" in text for text in report.differences(accepted))


def test_an_accepted_difference_that_is_none_is_told():
    files = {"base": checkpoint(), "cand": checkpoint(**QUANTIZED)}
    one = built({"base": [RIGHT], "cand": [RIGHT]}, terms=Terms(checkpoints=files, accepted=("chat-template", "dtype")))
    told = "\n".join(report.completeness(one))
    assert "--accept-difference chat-template: nothing of that name differs" in told
    assert "did you mean 'chat_template'?" in told
    assert "--accept-difference dtype: nothing of that name differs\n" in told + "\n"


def test_what_is_not_known_is_left_out_and_said():
    one = built({"base": [RIGHT], "cand": [RIGHT]}, terms=Terms(checkpoints={"base": checkpoint()}))
    assert one.rows[0].judgements["cand"].comparison.recovery.percent == 100.0
    assert any(
        "cand: not known, and so not compared: chat_template, dtype" in text for text in report.completeness(one)
    )


def test_doubts_about_the_files_are_shown_with_scheme_and_size():
    files = {"base": checkpoint(), "cand": checkpoint()}
    one = built({"base": [RIGHT], "cand": [RIGHT]}, terms=Terms(checkpoints=files))
    assert any("no layer is stored quantized" in text for text in report.completeness(one))
    assert any("not smaller than the baseline" in text for text in report.completeness(one))
    assert "| base | not quantized | 100 bytes | BF16 100% | none |" in report.markdown(one)


# --- drift, noise and published figures ---


def test_answers_that_came_out_otherwise_are_flagged():
    total = {label: Tally(TASK, label, harness(TASK)) for label in ("base", "cand")}
    for number in range(200):
        sample = Sample(str(number), (Text("q"),), ["right"])
        total["base"].add(sample, Answer("right", "stop", 1, 10, 0.1))
        cut = number % 4 == 0
        total["cand"].add(sample, Answer("right", "length" if cut else "stop", 1, 20 if cut else 10, 0.1))
    part = PlannedTask(TASK, "listing", 200, 200, "rev")
    plan = Plan(contender("base"), (contender("cand"),), (part,))
    one = report.build(plan, {(label, "docvqa"): found for label, found in total.items()}, harness)
    found = json.loads(report.results_text(one))["tasks"][0]["drift"]["cand"]
    assert found["truncated"]["difference"] == 0.25
    assert found["truncated"]["flagged"]
    assert found["tokens"]["difference"] == 2.5
    assert found["tokens"]["flagged"]
    assert not found["empty"]["flagged"]
    assert "changed" in report.markdown(one)


def test_the_noise_floor_stands_beside_the_candidate_and_is_no_column():
    plain = built({"base": [RIGHT], "cand": [MIXED]})
    again = contender("base (again)")
    part = dataclasses.replace(plain.plan.tasks[0], listing="short", planned=2)
    plan = dataclasses.replace(plain.plan, repeat=again, repeated=(part,))
    whole = plain.plan.tasks[0]
    tallies = {
        ("base", "docvqa"): tally(plan.baseline, whole, RIGHT),
        ("cand", "docvqa"): tally(plan.candidates[0], whole, MIXED),
        ("base (again)", "docvqa"): tally(again, part, [True, False]),
    }
    one = report.build(plan, tallies, harness)
    found = json.loads(report.results_text(one))["tasks"][0]
    assert found["noise_floor"]["samples"] == 2
    assert found["noise_floor"]["baseline_again"]["regressed"] == 1
    assert found["noise_floor"]["candidates"]["cand"]["unchanged"] == 2
    assert set(found["scores"]) == {"base", "cand"}
    assert "| DocVQA (val) | 2 | 1 worse, 0 better (50.0%) | 0 worse, 0 better (0.0%) |" in report.markdown(one)


def published(**more):
    rows = [{"task": "docvqa", "title": "DocVQA (val)", "category": "Vision", "metric": "anls", **more}]
    return cards.published(
        {"name": "card", "baseline": "org/Base", "candidate": "org/cand", "source": "a card", "rows": rows}, "t.toml"
    )


@pytest.mark.parametrize(
    ("candidate", "standing"), [("75.00", "inside the interval"), ("10.00", "outside the interval, below")]
)
def test_a_published_figure_stands_beside_the_measured_one(candidate, standing):
    table = published(baseline="100.00", candidate=candidate)
    outcomes = {"org/base": [[True] * 40], "org/cand": [[True] * 30 + [False] * 10]}
    one = built(outcomes, labels=("org/base", "org/cand"), terms=Terms(published=(table,)))
    found = json.loads(report.results_text(one))["tasks"][0]["published"]["org/cand"]
    assert (found["recovery"], found["measured"], found["standing"]) == (float(candidate), 75.0, standing)
    assert standing in report.markdown(one)
    other = built({"org/base": [RIGHT], "mine": [MIXED]}, labels=("org/base", "mine"), terms=Terms(published=(table,)))
    assert other.rows[0].published == {}


def test_a_smoke_run_says_so_first():
    assert report.sentences(built({"base": [RIGHT], "cand": [RIGHT]}, smoke=True))[0].startswith("Smoke run")


def test_json_is_unrounded_and_complete():
    found = json.loads(report.results_text(built({"base": [RIGHT], "cand": [[True, False, False]]})))
    row = found["tasks"][0]
    assert row["scores"]["cand"]["score"] == pytest.approx(1 / 3, abs=0)
    assert row["scores"]["cand"]["planned"] == row["scores"]["cand"]["scored"] + row["scores"]["cand"]["failed"]
    assert found["schema_version"] == FORMAT


def test_equal_reports_render_to_equal_bytes():
    first, second = (built({"base": [RIGHT], "cand": [MIXED]}) for _ in range(2))
    assert report.html(first, templates()) == report.html(second, templates())
    assert report.markdown(first) == report.markdown(second)
    assert report.results_text(first) == report.results_text(second)


class Tags(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_hostile_names_stay_text():
    hostile = dataclasses.replace(task(), title=HOSTILE, category=HOSTILE)
    page = report.html(
        built({"base": [RIGHT], HOSTILE: [MIXED]}, labels=("base", HOSTILE), tasks=(hostile,)), templates()
    )
    tags = Tags()
    tags.feed(page)
    assert not [tag for tag, _ in tags.found if tag in {"img", "iframe", "link"}]
    # The page's own links stay on the page, and its one script is the one that it ships.
    assert all(attrs["href"].startswith("#") for tag, attrs in tags.found if tag == "a")
    assert sum(tag == "script" for tag, _ in tags.found) <= 1
    assert not [key for _, attrs in tags.found for key in attrs if key.startswith("on")]
    assert "<script>alert(1)</script>" in tags.text
    assert "default-src 'none'" in page


def test_hostile_names_break_no_markdown_table():
    hostile = dataclasses.replace(task(), title=HOSTILE + "\n\n# heading")
    text = report.markdown(built({"base": [RIGHT], "cand": [MIXED]}, tasks=(hostile,)))
    row = next(line for line in text.splitlines() if line.startswith("| Vision"))
    assert row.replace("\\|", "").count("|") == 7
    assert "<script>" not in text.replace("\\<", "")
    assert not [line for line in text.splitlines() if line.startswith("# heading")]
