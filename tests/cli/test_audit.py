import json
import os
import subprocess
import sys

import pytest
from click import BadParameter
from click.testing import CliRunner

from evalkit.base.errors import ConfigError, DataError, ExitCode, UsageError
from evalkit.cards import MOST_CHARACTERS
from evalkit.cli.audit import command
from evalkit.files import resources

GOOD = "Task | base | int8 | Recovery\n---|---|---|---\nMMLU (5-shot) | 71.40 | 70.50 | {}\n"
COSTS = (
    "Hardware | Model | Average Cost Reduction | a Latency (s) | a QPD | b Latency (s) | b QPD\n-|-|-|-|-|-|-\n"
    "L4 | base | | 5.7 | 316 | 4.8 | 375\nL4 | int8 | 1.55 | 3.7 | 486 | 3.1 | 581\n"
)
OTHER = "Setting | Value\n---|---\nmax tokens | 4096\n"


def audit(path, *words):
    """The command's exit code and what it printed."""
    done = CliRunner().invoke(command, [str(path), *words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.output


@pytest.fixture
def written(tmp_path):
    def write(text, name="README.md"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_card_that_follows(written):
    code, output = audit(written(GOOD.format("98.74%")))
    assert code == ExitCode.FINE
    assert output.startswith("1 figure checked, 1 follows, 0 do not, 0 not checked\n")
    assert "MMLU (5-shot)  n =  14,042   98.74 % [97.3, 100.2]  could be noise" in output


def test_a_figure_that_does_not_follow_stands_first_with_what_it_rests_on(written):
    code, output = audit(written(GOOD.format("99.74%")))
    assert code == ExitCode.GATE_FAILED
    title, first, rests, summary, *_ = output.splitlines()
    assert title == "Does not follow:"
    where = "  table 1 (line 1), MMLU (5-shot), recovery of int8: "
    assert first.startswith(where + "printed 99.74%, but 98.74% follows ")
    # 70.495 / 71.405 to 70.505 / 71.395, and half a unit of the printed recovery.
    assert "(rounding allows 98.726 to 98.753, tolerance 0.0189)" in first
    assert rests == "    rests on MMLU (5-shot), base: 71.40; MMLU (5-shot), int8: 70.50"
    assert summary == "1 figure checked, 0 follow, 1 does not, 0 not checked"


def test_what_is_wrong_comes_before_the_last_digit(written):
    two = GOOD.format("98.76%") + "MuSR | 60.00 | 57.00 | 98.00%\n"
    _, output = audit(written(two))
    lines = [line for line in output.splitlines() if not line.startswith("    ")]
    assert lines[0] == "Does not follow:"
    assert "98.00%" in lines[1]
    assert lines[2] == "Off in the last digit:"
    assert "98.76%" in lines[3]


def test_one_object_of_json(written):
    code, output = audit(written(GOOD.format("99.74%") + "Odd | 1.0 or so | 2.0 | 3\n\n" + OTHER), "--json")
    found = json.loads(output)
    assert code == ExitCode.GATE_FAILED
    counts = [found[key] for key in ("follows", "checked", "follow", "do_not", "not_checked")]
    assert counts == [False, 1, 0, 1, 3]
    assert len(found["notices"]) == 1
    (finding,) = found["findings"]
    assert (finding["printed"], finding["right"], finding["severity"]) == ("99.74%", "98.74%", "wrong")
    assert finding["low"] < 98.7395 < finding["high"]
    assert [ref["text"] for ref in finding["rests"]] == ["71.40", "70.50"]
    assert found["noise"][0]["is_noise"] is True
    assert {one["printed"] for one in found["unchecked"]} == {"1.0 or so", "2.0", "3"}


def test_a_comment_for_a_pull_request_has_no_markup_of_the_card(written):
    hostile = GOOD.format("99.74%").replace("MMLU (5-shot)", "@someone <img src=x> [a](http://b) \\| `c` MMLU")
    code, output = audit(written(hostile), "--markdown")
    assert code == ExitCode.GATE_FAILED
    assert output.startswith("**1 figure checked, 0 follow, 1 does not, 0 not checked**\n")
    assert "| wrong | " in output
    assert "<img" not in output
    assert "@someone" not in output
    assert "](http" not in output
    with pytest.raises(UsageError, match="two forms"):
        audit(written(hostile), "--markdown", "--json")


def test_a_comment_says_what_it_leaves_out(written):
    rows = "".join(f"| task {at} | 50.00 | 50.00 | {90 + 10 * (at % 2)}.00 |\n" for at in range(120))
    average = "| Average | 50.00 | 50.00 | 80.00 |\n"
    _, output = audit(written("| Task | BF16 | FP8 | Recovery |\n|---|---|---|---|\n" + rows + average), "--markdown")
    assert output.count("| wrong |") == 50
    assert "\n\n11 more are not listed.\n" in output
    assert "; 236 more" in next(line for line in output.splitlines() if "80.00" in line)


def test_a_comment_ends_at_a_whole_finding_before_it_is_too_long(tmp_path):
    for number in range(40):
        rows = "".join(f"| {'long name ' * 6}{at} | 50.00 | 50.00 | {90 + 10 * (at % 2)}.00 |\n" for at in range(24))
        card = "| Task | BF16 | FP8 | Recovery |\n|---|---|---|---|\n" + rows + "| MMLU | 71.40 | 70.50 | 98.74 |\n"
        (tmp_path / f"{number:02}.md").write_text(card)
    code, output = audit(tmp_path, "--markdown")
    assert code == ExitCode.GATE_FAILED
    assert len(output) <= 65_536
    shown = output.count("| wrong | ")
    assert 40 < shown < 480
    assert output.startswith("**1,000 figures checked, 520 follow, 480 do not, 0 not checked**")
    last = output.splitlines()[-1]
    assert f"65,536 characters: {480 - shown} lines of findings and 40 other lines are left out" in last
    assert all(line.endswith(" |") for line in output.splitlines() if line.startswith("| wrong"))


def test_prices_and_savings_stand_in_a_comment(written):
    _, output = audit(written(COSTS), "--markdown")
    shown = audit(written(COSTS))[1]
    assert "Price of an hour" in shown
    assert "<details><summary>Prices and savings that the cost figures imply</summary>" in output
    assert output.count(" to \\$2.") == 1
    assert "mean ratio" in output


def test_the_same_scores_of_two_quantizations_in_a_comment(written):
    rows = "| MuSR | 60.01 | 57.02 | 57.02 |\n| DROP | 70.03 | 69.04 | 69.04 |\n| MMLU | 80.05 | 79.06 | 79.06 |\n"
    _, output = audit(written("| Task | BF16 | FP8 | INT4 |\n|---|---|---|---|\n" + rows), "--markdown")
    assert "- table 1 \\(line 1\\), INT4, scores: all 3 scores are those of FP8, to the last digit" in output


def test_a_toml_table(written):
    shipped = resources.tasks() / "published" / "pixtral-12b-quantized.w8a8.toml"
    code, output = audit(shipped)
    assert code == ExitCode.GATE_FAILED
    assert "printed 70.07, but 70.87 follows" in output
    with pytest.raises(ConfigError, match="rows"):
        audit(written('name = "x"\nbaseline = "a"\ncandidate = "b"\nsource = "c"\n', "card.toml"))
    with pytest.raises(ConfigError, match="not TOML"):
        audit(written("name = ", "card.toml"))


@pytest.mark.parametrize("text", ["words only", "", b"\x00\xff\xfe binary", OTHER, GOOD.format("-")])
def test_nothing_checked_is_not_fine(written, text):
    path = written(text)
    code, output = audit(path)
    assert code == ExitCode.INCOMPLETE
    assert "0 figures checked" in output
    assert "no figure could be checked" in output
    assert audit(path, "--allow-unchecked")[0] == ExitCode.FINE


def test_what_cannot_be_read_is_one_line_with_a_fix(written):
    with pytest.raises(DataError, match="larger than") as caught:
        audit(written("x" * (MOST_CHARACTERS + 1)))
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.fix


SIBLING = "Task | acme/Nova-8B | acme/Nova-8B-{} | Recovery\n---|---|---|---\nMMLU | {} | 70.50 | {}\n"


def test_cards_of_a_folder_are_compared(tmp_path):
    for name, card in (
        ("one/README.md", SIBLING.format("FP8", "71.40", "98.74")),
        ("two/README.md", SIBLING.format("W4A16", "71.49", "98.62")),
        ("two/notes.txt", "not a card"),
        (".hidden/README.md", "not read"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(card)
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output = audit(tmp_path)
    assert code == ExitCode.GATE_FAILED
    there = "two/README.md, table 1 (line 1), MMLU, acme/Nova-8B: printed 71.49, and 71.40 on another card: "
    assert there in output
    assert "the same baseline has one figure for one row" in output
    assert "follows" not in next(line for line in output.splitlines() if there in line)
    assert output.splitlines()[-1] == "2 cards: 3 figures checked, 2 follow, 1 does not, 0 not checked"
    assert ".hidden" not in output
    found = json.loads(audit(tmp_path, "--json")[1])
    assert [found[key] for key in ("checked", "do_not")] == [3, 1]
    assert [one["printed"] for one in found["across"]["findings"]] == ["71.49"]
    assert len(found["cards"]) == 2
    comment = audit(tmp_path / "one" / "README.md", str(tmp_path / "two"), "--markdown")[1]
    assert "### All cards together" in comment
    with pytest.raises(DataError, match="no card in this folder"):
        audit(empty)


def test_nothing_of_a_card_reaches_the_terminal_as_a_command(written):
    _, output = audit(written(GOOD.format("99.74%").replace("int8", "int8\x1b[2J\u202e")))
    assert "\x1b" not in output
    assert "\u202e" not in output


@pytest.mark.parametrize(("recovery", "code"), [("98.74%", 0), ("99.74%", 1)])
def test_the_shell_learns_the_exit_code(written, recovery, code):
    path = written(GOOD.format(recovery))
    env = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", "audit", str(path)], capture_output=True, text=True, env=env, check=False
    )
    assert (done.returncode, done.stderr) == (code, "")


def test_a_missing_file_is_exit_code_2(tmp_path):
    words = [sys.executable, "-m", "evalkit", "audit", str(tmp_path / "none.md")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "none.md" in done.stderr


def test_no_card_is_told_in_one_line():
    with pytest.raises(UsageError, match="no card was named") as caught:
        CliRunner().invoke(command, [], standalone_mode=False, catch_exceptions=False)
    assert "- for standard input" in caught.value.fix


@pytest.mark.parametrize(("recovery", "code"), [("98.74%", ExitCode.FINE), ("99.74%", ExitCode.GATE_FAILED)])
def test_a_card_from_standard_input(recovery, code):
    done = CliRunner().invoke(command, ["-"], input=GOOD.format(recovery), standalone_mode=False)
    assert done.return_value == code
    assert "1 figure checked" in done.output
    found = CliRunner().invoke(command, ["-", "--json"], input=GOOD.format(recovery), standalone_mode=False)
    assert json.loads(found.output)["card"] == "standard input"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_named(written, encoding):
    with pytest.raises(DataError, match=r"README\.md: its encoding is UTF-16, and a card is read in UTF-8"):
        audit(written(GOOD.format("98.74%").encode(encoding)))


@pytest.mark.parametrize("name", ["a\nb.md", "a\x1b[31mb.md", "a|b`<i>@me.md", os.fsdecode(b"a\xffb.md")])
def test_a_hostile_name_is_one_harmless_line(tmp_path, written, name):
    path, other = written(GOOD.format("99.74%"), name), written(GOOD.format("98.74%"), "plain.md")
    code, output = audit(path, str(other))
    assert code == ExitCode.GATE_FAILED
    titles = [line for line in output.splitlines() if line.startswith("== ")]
    assert len(titles) == 3
    assert "\x1b" not in output
    comment = audit(path, str(other), "--markdown")[1]
    assert len([line for line in comment.splitlines() if line.startswith("### ")]) == 3
    assert "<i>" not in comment
    assert json.loads(audit(path, str(other), "--json")[1])["do_not"] == 1
    path.write_bytes(b"x" * (MOST_CHARACTERS + 1))
    with pytest.raises(DataError) as caught:
        audit(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "open.md").write_text(GOOD.format("98.74%"))
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    # Root may read everything, so that the system's refusal is given here.
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"locked: cannot be read \(Permission denied\)"):
        audit(tmp_path)


def test_a_card_that_cannot_be_read_is_named(tmp_path):
    """A link to itself: what even root cannot read."""
    path = tmp_path / "card.md"
    path.symlink_to(path)
    with pytest.raises((DataError, BadParameter), match=r"card\.md"):
        audit(path)
