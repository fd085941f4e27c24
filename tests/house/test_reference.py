"""Nothing that a user can write or read is undocumented, and the reference says what the code declares."""

import dataclasses
import enum
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import click
import pytest

import evalkit
from evalkit import testing
from evalkit.base.errors import ExitCode
from evalkit.base.types import Task
from evalkit.cli import COMMANDS, cli
from evalkit.config.run_config import Config
from evalkit.files import resources
from evalkit.runs.sample_table import COLUMNS
from evalkit.tasks import metrics
from evalkit.tasks.benchmarks import BENCHMARKS, HARNESSED
from evalkit.tasks.task_file import Suite
from evalkit.testing import contract
from reference import commands, declared, results, schema
from reference.blocks import BLOCKS
from reference.markdown import filled, table

ROOT = Path(__file__).resolve().parents[2]
OWN_VARIABLES = {"EVALKIT_SERVER", "EVALKIT_COMPLETE"}
"""Set by evalkit itself: the mark of its servers, and what click asks of a completion script."""
REFERENCE = ROOT / "docs/reference"
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def page(name):
    return (REFERENCE / name).read_text(encoding="utf-8")


def section(text, heading):
    """What stands under a heading of the second level."""
    return re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text):
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_every_column_of_samples_is_explained():
    assert first_cells(section(page("run-folder.md"), "The columns of samples")) == list(COLUMNS)


def leaves(kind, place=""):
    """Every key of a dataclass and of the dataclasses in it."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in {"source", "extensions"} and kind in {Task, Suite}:
            continue
        name = f"{place}{field.name}"
        yield name
        by_name = f"{name}.NAME." if get_origin(hints[field.name]) is Mapping else f"{name}."
        for one in (hints[field.name], *get_args(hints[field.name])):
            if dataclasses.is_dataclass(one) and not hasattr(one, "parse"):
                yield from leaves(one, by_name)


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_what_a_page_takes_from_the_code_is_as_the_code_has_it(path):
    text = path.read_text(encoding="utf-8")
    if filled(text, BLOCKS) != text:
        pytest.fail(f"{path.relative_to(ROOT)} is out of date: python tools/make_reference.py writes it", pytrace=False)


def test_the_schema_of_the_results_is_as_their_types_have_it():
    if (resources.reports() / "results.schema.json").read_text(encoding="utf-8") != schema.text():
        pytest.fail("results.schema.json is out of date: python tools/make_reference.py writes it", pytrace=False)


def test_every_block_is_on_a_page():
    marks = re.compile(r"<!-- made from the code: ([\w-]+) -->")
    assert sorted(name for path in PAGES for name in marks.findall(path.read_text(encoding="utf-8"))) == sorted(BLOCKS)


def test_every_option_of_every_command_is_in_the_reference():
    text = page("commands.md")
    with click.Context(cli) as context:
        for name in COMMANDS:
            command = cli.get_command(context, name)
            below = command.commands if isinstance(command, click.Group) else {}
            for whole, one in [(name, command), *((f"{name} {under}", one) for under, one in below.items())]:
                said = section(text, f"evalkit {whole}")
                assert said, whole
                for option in one.params:
                    if isinstance(option, click.Option) and option.name != "debug":
                        assert all(f"`{word}`" in said for word in option.opts), f"{whole} {option.opts}"


def test_every_key_of_the_configuration_is_in_the_reference():
    assert sorted(first_cells(page("configuration.md"))) == sorted(leaves(Config))


def test_every_option_of_run_stands_beside_its_key():
    rows = page("configuration.md").splitlines()
    beside = {
        word for row in rows for word in re.findall(r"`(--[a-z-]+)`", row.rpartition(" | ")[0].rpartition(" | ")[2])
    }
    beside |= {word for row in rows for word in re.findall(r"`(--[a-z-]+)` \|$", row)}
    with click.Context(cli) as context:
        named = {option.opts[-1] for option in cli.get_command(context, "run").params}
    assert named - beside == {"--config", "--json", "--quiet", "--debug"}


def test_every_key_of_a_task_and_a_suite_is_in_the_reference():
    text = page("task-files.md")
    assert set(leaves(Task)) <= set(first_cells(section(text, "A task")))
    assert set(leaves(Suite)) == set(first_cells(section(text, "A suite")))


def test_every_benchmark_metric_and_exit_code_is_in_the_reference():
    assert {*BENCHMARKS, *HARNESSED} <= set(first_cells(section(page("task-files.md"), "Benchmarks")))
    assert set(metrics.METRICS) <= set(re.findall(r"^## (\w+)$", page("metrics.md"), re.MULTILINE))
    assert first_cells(page("exit-codes.md")) == [str(int(code)) for code in ExitCode]


def test_every_key_of_the_results_is_in_the_reference():
    schema = json.loads((resources.reports() / "results.schema.json").read_text(encoding="utf-8"))
    text = page("results.md")

    def keys(of):
        if isinstance(of, list):
            return {key for one in of for key in keys(one)}
        if not isinstance(of, dict):
            return set()
        return {*of.get("properties", {}), *(key for name, one in of.items() if name != "$defs" for key in keys(one))}

    below = {name: keys(one) for name, one in schema["$defs"].items() if "properties" in one}
    for name, wanted in {**below, "": keys({**schema, "$defs": {}})}.items():
        said = section(text, name) if name else text.partition("\n## ")[0]
        assert {place.rpartition(".")[2] for place in first_cells(said)} >= wanted - {"properties"}, name


# --- what is undocumented is told, not left out ---


@dataclasses.dataclass
class Silent:
    told: int
    """Told."""
    untold: int


class Code(enum.IntEnum):
    TOLD = 0
    """Told."""
    UNTOLD = 1


def test_a_key_without_a_sentence_is_an_error():
    with pytest.raises(declared.UndocumentedError, match=r"Silent\.untold"):
        list(declared.keys(Silent))


def test_an_exit_code_without_a_sentence_is_an_error(monkeypatch):
    monkeypatch.setattr("reference.exit_codes.ExitCode", Code)
    with pytest.raises(declared.UndocumentedError, match="UNTOLD"):
        BLOCKS["exit-codes"]()


def test_a_metric_without_a_docstring_is_an_error(monkeypatch):
    monkeypatch.setitem(metrics.METRICS, "untold", lambda *_: None)
    with pytest.raises(declared.UndocumentedError, match="untold"):
        BLOCKS["metrics"]()


def test_an_option_without_help_is_an_error(monkeypatch):
    with click.Context(cli) as context:
        run = cli.get_command(context, "run")
    monkeypatch.setattr(run, "params", [click.Option(["--untold"])])
    with pytest.raises(declared.UndocumentedError, match="--untold"):
        commands.text()


def test_a_key_of_the_results_without_a_description_is_an_error(monkeypatch):
    monkeypatch.setattr(results, "schema", lambda: {"properties": {"untold": {"type": "string"}}, "$defs": {}})
    with pytest.raises(declared.UndocumentedError, match="untold"):
        BLOCKS["results"]()


def test_a_mark_that_nothing_is_made_for_is_an_error():
    with pytest.raises(KeyError, match="nothing"):
        filled("<!-- made from the code: nothing -->\n<!-- end -->", BLOCKS)


def test_a_cell_with_a_bar_stays_one_cell():
    assert table(["a", "b"], [["x|y", "z"]]).splitlines()[-1] == r"| x\|y | z |"


def test_every_variable_that_evalkit_reads_is_in_the_reference():
    said = page("run-folder.md")
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "evalkit").rglob("*.py")]
    named = {name for text in texts for name in re.findall(r"EVALKIT_[A-Z_]+", text)} - OWN_VARIABLES
    assert named
    assert [name for name in sorted(named) if f"`{name}`" not in said] == []


def test_everything_that_import_evalkit_gives_is_in_the_reference():
    text = page("python.md")
    for name in set(evalkit.__all__) - {"__version__"}:
        thing = getattr(evalkit, name)
        assert f"\n## {name}\n" in text
        for member in vars(thing) if isinstance(thing, type) else ():
            public = not member.startswith("_") and not dataclasses.is_dataclass(getattr(thing, member))
            if public and (callable(vars(thing)[member]) or isinstance(vars(thing)[member], property)):
                assert f"\n### {name}.{member}\n" in text
    parameters = inspect.signature(evalkit.compare).parameters
    assert all(f"- *{parameter}*: " in section(text, "compare") for parameter in parameters)


def test_everything_of_testing_is_in_the_reference():
    text = page("testing.md")
    for name in set(testing.__all__) - {"PARTS", "RULES", "Part"}:
        assert f"\n## {name}\n" in text
    assert {name.partition(":")[0] for name in first_cells(section(text, "What the server can be told to do"))} == set(
        testing.PARTS
    )
    told = set(re.findall(r'f"([a-z0-9 ]+): ', inspect.getsource(contract)))
    assert told | {"same content", "same references", "same groups"} == set(testing.RULES)
    assert set(testing.RULES) <= set(first_cells(text))


def test_a_method_without_a_docstring_is_an_error(monkeypatch):
    monkeypatch.setattr(evalkit.Run.rows, "__doc__", None)
    with pytest.raises(declared.UndocumentedError, match=r"Run\.rows"):
        BLOCKS["public"]()
