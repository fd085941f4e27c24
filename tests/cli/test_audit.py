import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from evalkit.base.errors import ConfigError, DataError, ExitCode
from evalkit.cards import MOST_CHARACTERS
from evalkit.cli.audit import command
from evalkit.files import resources

GOOD = "Task | base | int8 | Recovery\n---|---|---|---\nMMLU (5-shot) | 71.40 | 70.50 | {}\n"
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
    assert output.startswith("1 of 1 figure follows from the others\n")
    assert "MMLU (5-shot)  n =  14,042   98.74 % [97.3, 100.2]  could be noise" in output


def test_a_figure_that_does_not_follow_is_one_line_and_exit_code_1(written):
    code, output = audit(written(GOOD.format("99.74%")))
    assert code == ExitCode.GATE_FAILED
    first, summary, *_ = output.splitlines()
    assert first.startswith("table 1 (line 1), MMLU (5-shot), recovery of int8: printed 99.74%, but 98.74% follows ")
    # 70.495 / 71.405 to 70.505 / 71.395, and half a unit of the printed recovery.
    assert "(rounding allows 98.726 to 98.753, tolerance 0.0189)" in first
    assert summary == "0 of 1 figure follow from the others, 1 does not"


def test_one_object_of_json(written):
    code, output = audit(written(GOOD.format("99.74%") + "\n" + OTHER), "--json")
    found = json.loads(output)
    assert code == ExitCode.GATE_FAILED
    assert (found["follows"], found["checked"], len(found["notices"])) == (False, 1, 1)
    (finding,) = found["findings"]
    assert (finding["printed"], finding["right"]) == ("99.74%", "98.74%")
    assert finding["low"] < 98.7395 < finding["high"]
    assert found["noise"][0]["is_noise"] is True


def test_a_toml_table(written):
    shipped = resources.tasks() / "published" / "pixtral-12b-quantized.w8a8.toml"
    code, output = audit(shipped)
    assert code == ExitCode.GATE_FAILED
    assert "printed 70.07, but 70.87 follows" in output
    with pytest.raises(ConfigError, match="rows"):
        audit(written('name = "x"\nbaseline = "a"\ncandidate = "b"\nsource = "c"\n', "card.toml"))
    with pytest.raises(ConfigError, match="not TOML"):
        audit(written("name = ", "card.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("words only", "no table found"),
        ("", "no table found"),
        (b"\x00\xff\xfe binary", "no table found"),
        (OTHER, "no table that can be audited"),
        ("x" * (MOST_CHARACTERS + 1), "larger than"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_a_fix(written, text, said):
    with pytest.raises(DataError, match=said) as caught:
        audit(written(text))
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.fix


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
