"""Keeps a small store as this checkout's evalkit writes it, for tests of later ones.

::

    PYTHONPATH=tests python -m support.keep_store tests/records/stores/format_3

The folder gets everything that the run needs to be given again: ``store.sqlite3``, the task ``pages.toml`` with its
rows, the settings ``quick.toml``, and ``samples.jsonl`` with what the run said of each sample. The store has what a
store can have: answers (one cut by the token limit, one whose text stood in another field), a refused request, a
failure that is asked again, a row that cannot be asked, the repetition of a noise floor, a judgement, an epoch.
"""

import json
import shutil
import sys
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from evalkit.records.store import Store
from evalkit.testing import ModelServer, chat, error
from support.commands import evalkit
from support.workplaces import DOCVQA, pages, write_parquet

ROWS = 12
NO_PICTURE, REFUSED, FAILED, WRONG, CUT, ELSEWHERE = 9, 3, 5, 2, 7, 8
"""Numbers of the rows that come out in a way of their own; refused and failed at the baseline, the last three at the
candidate."""
JUDGED = ("a program", {"base": "fail", "why": "assert f() == 1"})
SET_ASIDE = "a model"
KEPT = ("store.sqlite3", "pages.toml", "pages.parquet", "quick.toml", "samples.jsonl")


def question(asked):
    """The number of the question in a request."""
    content = json.loads(asked.body)["messages"][0]["content"]
    text = "".join(part.get("text", "") for part in content)
    return int(text.partition("What is number ")[2].partition("?")[0])


def ends(asked, reason, **message):
    message = {"role": "assistant", "content": None, **message}
    return chat(asked, choices=[{"index": 0, "message": message, "finish_reason": reason}])


def baseline(asked):
    number = question(asked)
    if number == REFUSED:
        return error(400, "This model's maximum context length is 8 tokens.")
    return error(500, "the engine died") if number == FAILED else chat(asked, f"word{number}")


def candidate(asked):
    number = question(asked)
    if number == ELSEWHERE:
        return ends(asked, "stop", reasoning_content="so seven")
    if number == CUT:
        return ends(asked, "length", content="word")
    return chat(asked, "something else" if number == WRONG else f"word{number}")


@contextmanager
def asking(store, base=baseline, cand=candidate):
    """Both servers, and the words of the run; the store is in the folder ``store``."""
    with ExitStack() as stack:
        servers = [stack.enter_context(ModelServer(name, part)) for name, part in (("base", base), ("cand", cand))]
        words = ["run", "--baseline", "base", "--candidate", "cand", "--task", "pages.toml", "--config", "quick.toml"]
        for server in servers:
            words += ["--endpoint", f"{server.model}={server.url}", "--endpoint-is", f"{server.model}=1"]
        yield *servers, [*words, "--noise-floor", "4", "--output", str(store), "--json"]


def said(store):
    """What the sample files of the one run of a store say, a sample in each line."""
    lines = []
    for path in sorted(Path(store).glob("*/samples/*/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = {"model": path.parent.name, **json.loads(line)}
            lines.append({key: value for key, value in found.items() if key not in {"latency_s", "content"}})
    return lines


def keep(folder):
    """Make the folder."""
    with TemporaryDirectory() as scratch, chdir(scratch):
        rows = pages(ROWS)
        rows[NO_PICTURE]["image"] = None
        write_parquet("pages.parquet", rows)
        # Pictures as they are stored: what Pillow makes of them has another identity with each of its releases.
        Path("pages.toml").write_text(DOCVQA.replace('dialect = "neuralmagic"', 'images = "original"'))
        Path("quick.toml").write_text("[client]\ntries = 1\nwindow = 4\n")
        with asking("runs") as (_, _, words), mock.patch("platform.platform", return_value="Linux"):
            ended = evalkit(*words)
        if ended.code != 4:
            sys.exit(ended.err)
        with Store(Path("runs")) as store:
            store.put_judgement(*JUDGED)
            store.next_epoch(SET_ASIDE)
        lines = said("runs")
        Path("samples.jsonl").write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
        shutil.move("runs/store.sqlite3", "store.sqlite3")
        folder.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            shutil.move(name, folder / name)


if __name__ == "__main__":
    keep(Path(sys.argv[1]).absolute())
