"""The command line as a person meets it: help, versions, and one clear line for what is wrong."""

import json
import os
import socket
import subprocess
import sys

import pytest

from support.commands import evalkit
from support.processors import AVX2, interpreter

HEAVY = {"torch", "vllm", "lm_eval", "datasets", "pandas", "pyarrow", "numpy", "aiohttp", "requests", "PIL"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["score", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; sys.argv = ['evalkit', *sys.argv[1:]]\n"
        "from evalkit.cli import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code\n"
        "print(sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert not loaded & (HEAVY - ({"numpy"} if words[0] == "score" else set()))
    assert done.stdout


def test_every_command_explains_itself(workplace):
    from evalkit.cli import COMMANDS

    for name in COMMANDS:
        assert "Usage:" in workplace.here(name, "--help", check=0).stdout


def test_a_mistyped_command_gets_the_near_miss(workplace):
    done = workplace.here("rnu", check=2)
    assert "did you mean 'run'?" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(workplace, shell):
    assert "_EVALKIT_COMPLETE" in workplace.here("completion", shell, check=0).stdout


def errors_of(done):
    """The lines that tell of errors, as a person sees them; with --json they are JSON like all others."""
    lines = done.stderr.splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    told = [f"error: {event['text']}" for event in events if event["event"] == "Error"]
    return told or [line for line in lines if line.startswith("error: ")]


def line_of(done):
    """The one line that an error is."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    errors = errors_of(done)
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return errors[0]


def test_each_wrong_key_of_a_config_has_a_line(workplace, tmp_path):
    (tmp_path / "wrong.toml").write_text("window = 3\nlimt = 2\n")
    done = workplace.here("run", "--config", "wrong.toml", "--baseline", "base", "--candidate", "cand", check=2)
    first, second = errors_of(done)
    assert "window: unknown key" in first
    assert "limt: unknown key" in second


def test_an_unknown_task(workplace):
    words = workplace.comparison("--task", "mmmo")
    assert "mmmu" in line_of(workplace.here(*words))


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_second_suite_does_not_take_the_first_ones_place(workplace, command):
    words = (command, "--baseline", "base", "--candidate", "cand", "--suite", "openllm", "--suite", "leaderboard")
    assert line_of(workplace.here(*words)).startswith("error: --suite is given twice; one suite, and ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fetch", "--suite", "openllm", "--suite", "vlm"), "--suite is given twice; one suite, and "),
        (("run", "--baseline", "base", "-o", "one", "--output", "two"), "--output is given twice; keep"),
        (("gate", "out", *("--min-recovery", "1") * 2, "--min-recovery", "2"), "--min-recovery is given 3 times; keep"),
        (("tasks", "new", "shop", "--from", "a", "--from", "b"), "--from is given twice; keep"),
        (("run", "--baseline", "base", "--data", "t=a", "--data", "t=b"), "--data t= is given twice; keep"),
        (
            ("plan", "--baseline", "base", "--serve-arg", "a=1", "--serve-arg", "a"),
            "--serve-arg a= is given twice; keep",
        ),
        (("run", "--baseline", "base", "--vllm", "base=1", "--vllm", "base=2"), "--vllm base= is given twice; keep"),
        (("compare", "a", "b", "--metric", "t=x", "--metric", "t=y"), "--metric t= is given twice; keep"),
        (("compare", "a", "b", "--metric", "x", "--metric", "y"), "--metric without a task is given twice; keep"),
        (
            ("quantize", "base", "-o", "c", "--scheme", "w8a8", "--data", "t=a", "--data", "t=b"),
            "--data t= is given twice; keep",
        ),
    ],
)
def test_what_takes_one_value_is_not_given_two(workplace, words, said):
    for name in ("a", "b"):
        (workplace.folder / name).touch()
    assert line_of(workplace.here(*words)).startswith(f"error: {said}")


@pytest.mark.parametrize(
    "twice",
    [
        ("--limit", "3"),
        ("--data", "pages=rows.jsonl"),
        ("--serve-arg", "enforce-eager"),
        ("--serve-arg", "max-num-seqs=4"),
        ("--vllm", "base=0.11.0"),
        ("--vllm", "0.11.0"),
        ("--suite", "demo"),
    ],
)
def test_one_value_given_again_is_no_contradiction(workplace, twice):
    """The same line is said as with the option once: that the tasks are not there."""
    (workplace.folder / "rows.jsonl").touch()
    said = [
        line_of(workplace.here("run", "--baseline", "base", "--candidate", "cand", "--task", "nowhere", *twice * times))
        for times in (1, 2)
    ]
    assert said[0] == said[1]
    assert "twice" not in said[0]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--limit", "3", "--limit", "4", "--help"),
        ("run", "--help", "--limit", "3", "--limit", "4"),
        ("tasks", "new", "shop", "--from", "a", "--from", "b", "--help"),
    ],
)
def test_help_is_given_whatever_stands_beside_it(workplace, words):
    found = workplace.here(*words)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("Usage: ")


def test_an_endpoint_of_a_name_with_a_dot_is_named_by_its_place(workplace):
    words = ("run", "--baseline", "base-2.5", "--endpoint", "base-2.5=nowhere")
    assert line_of(workplace.here(*words)).startswith('error: command line: endpoints."base-2.5": ')


def test_a_model_folder_without_config(workplace):
    (workplace.folder / "cand/config.json").unlink()
    line = line_of(workplace.here(*workplace.comparison()))
    assert "config.json" in line
    assert "cand" in line


def test_a_model_that_is_neither_folder_nor_in_the_cache(workplace):
    line = line_of(
        workplace.here(
            "run", "--baseline", "nobody/nothing", "--candidate", "cand", "--task", "pages", "--tasks-dir", "tasks"
        )
    )
    assert "nobody/nothing" in line


def test_a_data_file_without_the_needed_columns(workplace):
    (workplace.folder / "rows.jsonl").write_text(json.dumps({"question": "q", "picture": "p"}) + "\n")
    line = line_of(workplace.here(*workplace.comparison("--data", "pages=rows.jsonl")))
    assert "image" in line
    assert "answers" in line
    assert "picture" in line


def test_an_empty_data_file(workplace):
    (workplace.folder / "rows.jsonl").write_text("")
    assert "rows.jsonl" in line_of(workplace.here(*workplace.comparison("--data", "pages=rows.jsonl")))


def test_data_for_a_task_that_does_not_take_part(workplace):
    line = line_of(workplace.here(*workplace.comparison("--data", "page=rows.jsonl")))
    assert "did you mean 'pages'?" in line


def test_two_models_with_one_label(workplace):
    other = workplace.folder / "elsewhere"
    other.mkdir()
    (workplace.folder / "base").rename(other / "cand")
    words = [
        "run",
        "--baseline",
        "./elsewhere/cand",
        "--candidate",
        "./cand",
        "--task",
        "pages",
        "--tasks-dir",
        "tasks",
    ]
    line = line_of(workplace.here(*words))
    assert "'cand'" in line
    assert "LABEL=" in line


def test_a_wrong_key_in_a_task_file(workplace):
    path = workplace.folder / "tasks/pages.toml"
    path.write_text(path.read_text().replace("max_tokens", "max_token"))
    done = workplace.here(*workplace.comparison(), check=2)
    unknown, missing = errors_of(done)
    assert "tasks/pages.toml: decoding.max_token: unknown key; did you mean 'max_tokens'?" in unknown
    assert "tasks/pages.toml: decoding.max_tokens: missing" in missing


def test_a_wrong_key_in_the_config_file(workplace):
    (workplace.folder / "c.toml").write_text("[serve]\nprofil = 'published'\n")
    line = line_of(workplace.here(*workplace.comparison("--config", "c.toml")))
    assert "c.toml: serve.profil" in line
    assert "did you mean 'profile'?" in line


def test_a_config_file_that_is_no_toml(workplace):
    (workplace.folder / "c.toml").write_text("[serve\n")
    assert "c.toml" in line_of(workplace.here(*workplace.comparison("--config", "c.toml")))


@pytest.mark.parametrize("output", ["tasks/pages.toml", "tasks/pages.toml/deeper"])
def test_an_output_folder_that_cannot_be_written(workplace, output):
    line = line_of(workplace.here(*workplace.comparison("--output", output)))
    assert "--output" in line


def test_a_port_that_is_taken(workplace):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        (workplace.folder / "c.toml").write_text(f"[serve]\nport = {port}\n")
        line = line_of(workplace.here(*workplace.comparison("--config", "c.toml")))
    assert str(port) in line


def test_no_baseline(workplace):
    assert "--baseline" in line_of(workplace.here("run", "--candidate", "cand"))


def test_an_endpoint_that_serves_another_model(workplace):
    from evalkit.testing import ModelServer

    with ModelServer("someone-else") as server:
        done = workplace.here(*workplace.comparison("--endpoint", f"base={server.url}"))
    assert done.returncode == 5
    assert "someone-else" in done.stderr


def test_endpoints_are_used_and_said(workplace):
    from evalkit.testing import ModelServer

    with ModelServer("base") as base, ModelServer("cand") as cand:
        words = workplace.comparison("--endpoint", f"base={base.url}", "--endpoint", f"cand={cand.url}/v1")
        done = workplace.here(*words, check=0)
        assert (base.asked.total(), cand.asked.total()) == (70, 70)
        again = workplace.here(*words, check=0)
        assert (base.asked.total(), cand.asked.total()) == (78, 78)  # eight of each, asked again
    first, second = (json.loads(each.stdout) for each in (done, again))
    # What the stored answers were worth is what the second look has found out.
    assert {one["stored_answers"]["how"] for one in second["models"].values()} == {"compared"}
    assert all(first[key] == second[key] for key in first if key != "models")
    (folder,) = workplace.runs()
    assert "did not start" in (folder / "report.html").read_text()
    assert not (folder / "server").exists()


def test_tasks_can_be_listed_and_shown(workplace):
    listed = workplace.here("tasks", "--tasks-dir", "tasks", check=0).stdout
    assert "mmmu" in listed
    assert "pages" in listed
    assert "pixtral-card" in listed
    assert "lmms-lab/MMMU" in workplace.here("tasks", "show", "mmmu", check=0).stdout


@pytest.mark.parametrize("words", [("tasks", "--json"), ("tasks", "list", "--json")])
def test_tasks_are_listed_for_machines(words):
    found = evalkit(*words).json
    tasks = {one["name"]: one for one in found["tasks"]}
    assert tasks["mmmu"]["dataset"]["id"] == "lmms-lab/MMMU"
    assert {"mmlu", "humaneval"} < {*tasks}
    assert {one["name"]: one["averages"] for one in found["suites"]}["pixtral-card"] == ["Vision"]


def test_json_before_a_subcommand_is_told_its_place():
    ended = evalkit("tasks", "--json", "show", "mmmu")
    assert (ended.code, "write it behind" in ended.err) == (2, True)


def test_a_machine_is_examined_for_machines(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ended = evalkit("doctor", "-o", tmp_path, "--vllm-python", interpreter(tmp_path, AVX2), "--json")
    assert ended.code == ended.json["exit_code"]
    assert {one["status"] for one in ended.json["findings"]} <= {"ok", "note", "problem"}
    assert ended.json["findings"][0]["name"] == "Python"
    assert (ended.code == 5) == any(one["status"] == "problem" for one in ended.json["findings"])


def test_score_speaks_json(workplace):
    lines = [{"answer": "kitten", "reference": ["sitting"]}, {"id": "x", "answer": "a", "reference": "a"}]
    (workplace.folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = workplace.here("score", "--metric", "anls", "a.jsonl", "--json", check=0)
    found = json.loads(done.stdout)
    assert found["scores"] == [pytest.approx(4 / 7), 1.0]
    assert found["mean"] == pytest.approx(11 / 14)


def test_score_names_the_bad_line(workplace):
    (workplace.folder / "a.jsonl").write_text('{"answer": "x", "reference": "y"}\n{"answer": "x"}\n')
    assert "a.jsonl:2" in line_of(workplace.here("score", "--metric", "anls", "a.jsonl"))
    assert "did you mean 'anls'?" in line_of(workplace.here("score", "--metric", "anl", "a.jsonl"))


def test_a_reader_that_leaves_early_is_no_error(workplace):
    words = " ".join(workplace.command("tasks"))
    done = subprocess.run(
        f"{words} | head -1",
        shell=True,
        cwd=workplace.folder,
        env=workplace.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "tasks\n"
    assert "Traceback" not in done.stderr


def test_a_shell_that_completes_a_word_is_answered(workplace):
    asked = {"_EVALKIT_COMPLETE": "bash_complete", "COMP_WORDS": "evalkit his", "COMP_CWORD": "1"}
    # A shell calls the console script, whose name click reads from the path.
    code = "import sys; sys.argv = ['evalkit']\nfrom evalkit.cli import main\nmain()"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env={**workplace.env, **asked}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain,history\n", "")


@pytest.mark.parametrize("words", [["tasks"], ["--help"], ["run", "--help"], ["history", "--runs", "past"]])
def test_a_reader_that_leaves_early_is_not_told_of_a_verdict(workplace, words):
    from support.pastruns import write_run

    write_run(workplace.folder / "past")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        workplace.command(*words),
        cwd=workplace.folder,
        env=workplace.env,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_encoding_that_lacks_a_sign_loses_nothing_else(workplace):
    from support.pastruns import write_run

    write_run(workplace.folder / "runs")
    done = workplace.evalkit("history", check=0, PYTHONIOENCODING="ascii")
    assert "98.75" in done.stdout
    assert "\\u2585" in done.stdout
    assert done.stderr == ""


def test_fetch_without_a_network_says_both_ways_out(workplace):
    done = workplace.here("fetch", "--task", "mmmu", EVALKIT_OFFLINE="1")
    assert done.returncode == 2
    assert "EVALKIT_MISTRAL_EVALS" in done.stderr
    assert "prompt" in done.stderr


def test_doctor_says_what_is_missing(workplace):
    path = os.pathsep.join([str(workplace.folder), workplace.env["PYTHONPATH"]])
    done = workplace.evalkit("doctor", PYTHONPATH=path)
    assert done.returncode in {0, 5}
    for word in ("Python", "vLLM", "prompt", "disk"):
        assert word.lower() in done.stdout.lower()


@pytest.mark.parametrize(
    ("task", "said"),
    [("mmlu,humaneval", "--task mmlu --task humaneval"), ("MMLU", "did you mean 'mmlu'?"), ("DocVQA", "'docvqa'?")],
)
def test_a_comma_and_another_case_are_explained(workplace, task, said):
    assert said in line_of(workplace.here(*workplace.comparison("--task", task)))


def test_every_unknown_key_is_told_even_without_a_baseline(workplace):
    (workplace.folder / "c.toml").write_text('basline = "base"\ncandidates = ["cand"]\n[polcy]\nmin_recovery = 99\n')
    told = errors_of(workplace.here("run", "--config", "c.toml", check=2))
    assert any("basline: unknown key; did you mean 'baseline'?" in line for line in told)
    assert any("polcy: unknown key; did you mean 'policy'?" in line for line in told)
    assert any("no baseline is named" in line for line in told)


def test_plan_refuses_a_vision_task_for_a_language_model(workplace):
    (workplace.folder / "cand/config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    words = workplace.comparison()
    assert "cand: its config.json has no vision tower" in line_of(workplace.here("plan", *words[1:]))
    assert "cand: its config.json has no vision tower" in line_of(workplace.here(*words))
