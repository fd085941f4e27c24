"""Cards in shapes in which cards are published, each with what of it is checked and a figure that is planted in it."""

import re
from pathlib import Path

import pytest

from evalkit.cards import audit, card

CARDS = sorted(Path(__file__).with_name("corpus").glob("*.md"))
SAYS = re.compile(
    r"<!-- Made up by the project; nobody published it\. checked: (?P<checked>\d+); unchecked: (?P<unchecked>\d+)"
    r"(?:; planted: (?P<right>.+) -> (?P<wrong>.+))? -->\n"
)
FIGURE = re.compile(r"[+-]?\d[\d.,]* ?%?x?")


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_an_honest_card_raises_nothing_and_no_figure_of_it_vanishes(path):
    text = path.read_text(encoding="utf-8")
    says = SAYS.match(text)
    found = audit(card(text))
    assert (found.findings, found.doubts, found.repairs) == ((), (), ())
    assert (found.checked, len(found.unchecked)) == (int(says["checked"]), int(says["unchecked"]))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_planted_figure_is_the_one_that_is_found(path):
    text = path.read_text(encoding="utf-8")
    says = SAYS.match(text)
    if says["right"] is None:
        assert says["checked"] == "0"  # nothing in it follows from anything, so that nothing can be wrong
        return
    body = text[says.end() :]
    assert body.count(says["right"]) == 1
    (finding,) = audit(card(body.replace(says["right"], says["wrong"]))).findings
    assert finding.printed.rstrip("%x ") == FIGURE.search(says["wrong"])[0].rstrip("%x ")
