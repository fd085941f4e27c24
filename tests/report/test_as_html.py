import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from evalkit import report
from evalkit.base.told import AskedWords
from evalkit.base.types import Elsewhere, Failure, FailureKind
from evalkit.config.policy import Policy
from evalkit.records.provenance import Provenance
from evalkit.report import Evidence
from evalkit.report.flip_cards import decks
from support.colours import contrast, palettes
from support.rich_report import LABELS, rich, templates


@pytest.fixture(scope="module")
def found():
    return rich(60)


@pytest.fixture(scope="module")
def page(found):
    return report.html(found[0], templates(), found[1])


class Page(HTMLParser):
    """What a browser would see: tags in order, and the texts by the tag they stand in."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def test_rendering_twice_gives_equal_bytes(found, page):
    again, evidence = rich(60)
    assert report.html(again, templates(), evidence) == page


def test_the_page_refers_to_nothing_outside_itself(page):
    for tag, attrs in Page(page).tags:
        for name in ("src", "href", "srcset", "action", "poster", "data"):
            if name in attrs:
                assert attrs[name].startswith(("#", "data:image/webp;base64,")), (tag, attrs)


def test_the_policy_names_the_style_and_the_script_by_their_digest(page):
    (policy,) = [a["content"] for t, a in Page(page).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_no_element_has_a_style_or_a_handler_of_its_own(page):
    assert not [a for _, a in Page(page).tags for name in a if name == "style" or name.startswith("on")]


def test_the_first_screen_has_the_table_of_every_rendering(found, page):
    text = Page(page).text
    for sentence in report.sentences(found[0]):
        assert sentence in text
    _, body = report.table(found[0])
    for cells in body:
        for cell in cells[2:]:
            assert cell in text or cell.partition(" ")[2] in text
    assert page.index("Can I trust it?") < page.index('<table class="accuracy') < page.index('id="flips"')


def test_what_speaks_against_the_models_files_stands_on_the_first_screen(found):
    warned = replace(found[0], warnings=("w4a16: no layer is stored quantized.", "another"))
    page = report.html(warned, templates(), found[1])
    assert page.index("no layer is stored quantized (and 1 more)") < page.index('<table class="accuracy')


def test_models_that_were_asked_otherwise_are_not_called_comparable(found):
    row = found[0].rows[-1]
    ways = {
        LABELS[0]: AskedWords((), {"method": "the fast way"}),
        LABELS[1]: AskedWords((), {"method": "the exact way"}),
    }
    spoilt = replace(found[0], rows=(*found[0].rows[:-1], replace(row, asked=ways)))
    page = report.html(spoilt, templates(), found[1])
    assert page.index("not all models were asked alike") < page.index('<table class="accuracy')
    assert "same samples, prompts and serving on both sides" not in page


def test_a_baseline_alone_has_a_page(found):
    built = rich(10, labels=LABELS[:1])[0]
    page = report.html(built, templates())
    assert "alone: no candidate was named" in page
    (_, body), text = report.table(built), Page(page).text
    assert all(cell in text for cells in body for cell in cells[1:3])
    assert "on both sides" not in page
    assert report.percent(built.rows[0].scores[LABELS[0]].score) in page


def test_every_model_task_and_setting_is_named(found, page):
    text = Page(page).text
    for one in found[0].plan.contenders:
        assert one.model.digest[:19] in text
        assert one.model.source in text
    for row in found[0].rows:
        assert row.part.task.title in text
        assert row.part.revision[:19] in text
    for word in (
        "evalkit run --baseline",
        "NVIDIA H100 80GB HBM3, 81,559 MiB, driver 570.86",
        "max-model-len",
        "W8A8 int",
    ):
        assert word in text, word


def test_groups_of_samples_and_how_answers_were_judged_are_folded_in(found):
    row = found[0].rows[0]
    one = row.judgements[LABELS[1]].comparison
    grouped = replace(row, groups={LABELS[1]: {"algebra": one}}, checks={"a": "fact"}, judged=("in a sandbox",))
    text = Page(report.html(replace(found[0], rows=(grouped, *found[0].rows[1:])), templates())).text
    assert "1 groups" not in text
    assert f"algebra {one.n}" in text
    assert report.recovery_text(one) in text
    assert "in a sandbox" in text


def test_failures_stand_with_their_bounds(found, page):
    text = Page(page).text
    (row,) = [row for row in found[0].rows if row.part.task.name == "mmmu"]
    low, high = row.scores[LABELS[2]].bounds
    assert f"{report.percent(low)} to {report.percent(high)}" in text
    assert f"{row.scores[LABELS[2]].failed} of 60 samples have no answer" in text


def test_speed_is_told_of_every_model_on_every_task(found):
    for row in found[0].rows:
        assert set(row.speed) == set(LABELS)
        one = row.speed[LABELS[0]]
        assert 0 < one.median_s <= one.p95_s
        assert one.answers == row.scores[LABELS[0]].scored


def test_every_flip_is_shown_or_counted(found):
    for deck in decks(*found):
        assert len(deck.cards) + deck.unseen == deck.regressed + deck.improved
        (row,) = [row for row in found[0].rows if row.part.task.name == deck.task]
        flips = row.judgements[deck.candidate].comparison.flips
        assert (deck.regressed, deck.improved) == (flips.regressed, flips.improved)


def test_both_answers_stand_whole_with_their_differences_marked(found):
    for deck, listed in zip(
        decks(*found), [one for one in found[1].flips if one.regressed or one.improved], strict=True
    ):
        for card, flip in zip(deck.cards, listed.chosen, strict=True):
            for side, reply in zip(card.sides, (flip.baseline, flip.candidate), strict=True):
                assert "".join(piece.text for piece in side.pieces) == (reply.answer.text or "")
            if flip.baseline.answer.text != flip.candidate.answer.text:
                assert any(piece.differs for side in card.sides for piece in side.pieces)


def test_beside_each_answer_stands_why_it_scored_and_its_reasoning_is_folded(found):
    shown = [card for deck in decks(*found) for card in deck.cards]
    sides = [side for card in shown for side in card.sides]
    assert all(side.why.partition("@")[0].partition(":")[0] for side in sides)
    assert any("of 10 people said" in side.why for side in sides)
    assert any("within 5 % of" in side.why for side in sides)
    at = next(n for n, one in enumerate(found[1].flips) if one.chosen)
    flip = found[1].flips[at].chosen[0]
    thought = replace(flip.baseline.answer, elsewhere=Elsewhere("reasoning_content", "because <b>five</b> is odd"))
    told = replace(flip, baseline=replace(flip.baseline, answer=thought))
    page = report.html(found[0], templates(), Evidence([replace(found[1].flips[at], chosen=(told,))]))
    assert "because &lt;b&gt;five&lt;/b&gt; is odd" in page.partition('<details class="reasoning">')[2]


def test_pictures_end_with_their_budget_and_the_page_says_so(found):
    one = len(base64.b64encode(next(iter(found[1].pictures.values()))))
    few = decks(*found, pictures=3 * one)
    embedded = sum(len(data) for deck in few for card in deck.cards for data in card.pictures)
    assert 0 < embedded <= 3 * one
    assert sum(card.unseen for deck in few for card in deck.cards) > sum(
        card.unseen for deck in decks(*found) for card in deck.cards
    )
    assert "image not embedded here" in report.html(found[0], templates(), replace(found[1], pictures={}))


def test_answers_end_with_their_budget_and_the_page_counts_the_rest(found):
    few = decks(*found, texts=2000)
    assert 0 < sum(len(deck.cards) for deck in few) < sum(len(deck.cards) for deck in decks(*found))
    assert all(len(deck.cards) + deck.unseen == deck.regressed + deck.improved for deck in few)


def test_an_answer_of_a_million_signs_is_cut_with_a_note_of_where_it_is(found):
    first = found[1].flips
    at = next(n for n, one in enumerate(first) if one.chosen)
    flip = first[at].chosen[0]
    long = replace(flip, candidate=replace(flip.candidate, answer=replace(flip.candidate.answer, text="x" * 1_000_000)))
    evidence = Evidence([replace(first[at], chosen=(long,))])
    page = report.html(found[0], templates(), evidence)
    assert len(page) < 600_000
    assert f"980,000 more characters in samples/{first[at].candidate}/{first[at].task}.jsonl" in page


def test_a_report_without_flips_thresholds_and_provenance_is_a_page(found):
    bare, _ = rich(20, labels=LABELS[:2], policy=Policy())
    text = Page(report.html(replace(bare, provenance=Provenance()), templates())).text
    assert "What did quantization cost?" in text
    assert "Flips" not in text


def test_an_undefined_recovery_is_a_dash_without_a_plot():
    def wrong(record):
        outcome = record.outcome
        return (
            record
            if isinstance(outcome, Failure)
            else replace(record, outcome=replace(outcome, text="?", judgement=None))
        )

    spoilt, evidence = rich(12, change=wrong)
    page = report.html(spoilt, templates(), evidence)
    assert 'class="strip"' not in page
    assert "–" in page


def test_no_answer_at_all_is_a_page():
    failure = Failure(FailureKind.DEADLINE, "slow")
    empty, evidence = rich(2, change=lambda record: replace(record, outcome=failure))
    text = Page(report.html(empty, templates(), evidence)).text
    assert "42 of 42 answers are missing" in text
    assert "incomplete" in text


GROUNDS = {
    "ink": ("paper", "panel", "own"),
    "soft": ("paper", "panel"),
    "accent": ("paper", "panel"),
    "good": ("paper", "panel", "good-ground"),
    "bad": ("paper", "panel", "bad-ground"),
    "unsure": ("paper", "panel", "unsure-ground"),
}


@pytest.mark.parametrize("at", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_has_a_contrast_of_at_least_4_5(at):
    colours = palettes(templates()["report.css"])[at]
    for ink, grounds in GROUNDS.items():
        for ground in grounds:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
