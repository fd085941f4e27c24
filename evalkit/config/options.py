"""Every option of ``evalkit run`` and ``evalkit perf``, declared once: flag, key in the file, words, who repeats it.

From here come the command lines (``cli.run``, ``cli.perf``), the reading of what they were given (``given``), the
commands on the model card (``report.commands``), and the reference of the configuration (``tools/reference``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Group: TypeAlias = Literal["Models", "Tasks", "Measuring", "Prices", "Serving", "Judging", "Output"]
Kind: TypeAlias = Literal[
    "text", "texts", "pairs", "files", "releases", "flags", "switch", "count", "number", "choice", "file"
]
"""What its value is: a text; several; ``KEY=VALUE``, several; ``KEY=FILE,FILE``, several; ``[MODEL=]RELEASE``, several;
``FLAG[=VALUE]``, several; on or off; a whole number from ``least``; a number; one of ``choices``; a file that is
read."""
SEVERAL: Final = ("texts", "pairs", "files", "releases", "flags")


@dataclass(frozen=True, slots=True)
class Option:
    """One option."""

    flag: str
    place: str
    """Its key in the file, dotted from the top; empty where it has none."""
    kind: Kind
    group: Group
    help: str
    form: str = ""
    """How the help names its value."""
    quiet: str = ""
    """Why the command on a model card need not name it: it cannot move an answer of whoever repeats the run. Empty for
    what can move an answer or a verdict, which the command has to name."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    """Of a number; a count without one begins at 1."""
    short: str = ""

    @property
    def name(self) -> str:
        """As the command line passes it on: the flag's own words where a file has no such key."""
        return _NAMES.get(self.flag, self.flag.removeprefix("--").replace("-", "_"))

    @property
    def several(self) -> bool:
        """Whether it can be repeated."""
        return self.kind in SEVERAL


_NAMES: Final = {
    "--candidate": "candidates",
    "--endpoint": "endpoints",
    "--task": "tasks",
    "--accept-difference": "accept_differences",
    "--import": "imported",
    "--serve-arg": "serve_args",
    "--config": "config_file",
    "--json": "as_json",
    "--use": "uses",
    "--deadline": "deadline_s",
}
"""Flags that are read better in the singular, beside the names that their keys have."""
_MACHINE: Final = "a path of the machine; the card names vLLM's version"

OPTIONS: Final = (
    Option(
        "--baseline", "baseline", "text", "Models", "Hub id or folder; LABEL=MODEL names it in the report.", "MODEL"
    ),
    Option("--candidate", "candidates", "texts", "Models", "As --baseline; repeat it for several.", "MODEL"),
    Option("--endpoint", "endpoints", "pairs", "Models", "Use a server that already runs.", "MODEL=URL"),
    Option(
        "--endpoint-is",
        "endpoint_is",
        "pairs",
        "Models",
        "Vouch for what that server serves: its answers are used again by every run that names the same revision.",
        "MODEL=REVISION",
    ),
    Option(
        "--served-as",
        "served_as",
        "pairs",
        "Models",
        "Another name by which that server may speak of the model, such as a gateway's dated one.",
        "MODEL=NAME",
    ),
    Option("--suite", "suite", "text", "Tasks", "A list of tasks, such as pixtral-card (the default).", "SUITE"),
    Option("--task", "tasks", "texts", "Tasks", "A task's name or TOML file; repeat it.", "TASK"),
    Option("--tasks-dir", "tasks_dir", "texts", "Tasks", "A folder with tasks of your own.", "FOLDER"),
    Option(
        "--allow-task-code",
        "allow_task_code",
        "switch",
        "Tasks",
        "Run the Python files beside those tasks: benchmarks, metrics and harnesses of your own.",
    ),
    Option("--data", "data", "pairs", "Tasks", "Local parquet or JSONL in place of the hub.", "TASK=FILE"),
    Option(
        "--import",
        "imported",
        "files",
        "Tasks",
        "A row of the report from answers made elsewhere, in what `evalkit compare` reads; repeat it.",
        "TASK=BASE,CAND",
    ),
    Option(
        "--limit",
        "limit",
        "count",
        "Tasks",
        "Only N samples of each task, or N problems where they are attempted several times, drawn at random, "
        "pictures with all their questions.",
        "N",
    ),
    Option(
        "--images",
        "images",
        "choice",
        "Tasks",
        "Send JPEGs as the published tool does, or as stored.",
        choices=("reencode", "original"),
    ),
    Option(
        "--dialect",
        "dialect",
        "choice",
        "Tasks",
        "Whose reading of the metrics.",
        choices=("neuralmagic", "mistral", "official"),
    ),
    Option(
        "--fresh",
        "fresh",
        "switch",
        "Tasks",
        "Ask everything again; earlier answers stay in the store.",
        quiet="whoever repeats it elsewhere has no answers yet",
    ),
    Option(
        "--allow-overlong",
        "allow_overlong",
        "switch",
        "Tasks",
        "Go on although the largest prompt does not fit the model's context.",
    ),
    Option(
        "--unsafe-exec",
        "unsafe_exec",
        "switch",
        "Tasks",
        "Run generated code without a sandbox, on a machine that has none.",
        quiet="whether a sandbox is needed is the machine's; the report says what was used",
    ),
    Option(
        "--vllm",
        "serve.vllm",
        "releases",
        "Serving",
        "Serve with this release, such as 0.32.0, in an environment that evalkit makes; MODEL=RELEASE for one.",
        "RELEASE",
    ),
    Option(
        "--vllm-python",
        "serve.python",
        "text",
        "Serving",
        "The interpreter that has vLLM, if not this one.",
        "PYTHON",
        _MACHINE,
    ),
    Option(
        "--profile",
        "serve.profile",
        "choice",
        "Serving",
        "Serving flags: vLLM's own batch size, or the published card's.",
        choices=("throughput", "published"),
    ),
    Option(
        "--serve-arg", "serve.args", "flags", "Serving", "A flag for vLLM, such as max-model-len=4096.", "FLAG=VALUE"
    ),
    Option("--serve-env", "serve.env", "pairs", "Serving", "A variable for vLLM's environment.", "NAME=VALUE"),
    Option(
        "--trust-remote-code",
        "serve.trust_remote_code",
        "switch",
        "Serving",
        "Let the model repository run code of its own.",
    ),
    Option(
        "--window",
        "client.window",
        "count",
        "Serving",
        "Requests under way at once.",
        "N",
        quiet="how many requests are under way at once is no part of an answer's identity",
    ),
    Option(
        "--patience",
        "client.patience_s",
        "number",
        "Serving",
        "How long a server that refuses for now (429, 502 to 504, no connection) is asked again; 600 by default.",
        "SECONDS",
        quiet="how long a server is waited for",
        least=0,
    ),
    Option(
        "--min-recovery",
        "policy.min_recovery",
        "number",
        "Judging",
        "Judge: the candidate has to keep so much. Exit 0 recovered, 1 degraded, 3 undecided, 4 incomplete.",
        "PERCENT",
    ),
    Option(
        "--max-failed",
        "policy.max_failed",
        "number",
        "Judging",
        "Share of samples that may lack a pair; 0.01 by default.",
        "SHARE",
    ),
    Option(
        "--accept-difference",
        "accept_differences",
        "texts",
        "Judging",
        "A difference between the models that is intended, such as chat_template; repeat it.",
        "KEY",
    ),
    Option(
        "--noise-floor",
        "noise_floor",
        "count",
        "Judging",
        "Ask the baseline N samples of each task twice, to see what changes by itself.",
        "N",
    ),
    Option(
        "--published",
        "published",
        "texts",
        "Judging",
        "A card or TOML table with published figures of the baseline, to hold its scores against; repeat it.",
        "FILE",
    ),
    Option(
        *(
            "--config",
            "",
            "file",
            "Output",
            "TOML file with the same settings; options on the command line win.",
            "FILE",
        ),
        quiet="what stands in it is told option by option",
    ),
    Option(
        "--output",
        "output",
        "text",
        "Output",
        "Where runs and the samples store live; runs by default.",
        "FOLDER",
        "where answers are kept moves none",
        short="-o",
    ),
    Option(
        "--track",
        "after.track",
        "texts",
        "Output",
        "Send the results to mlflow, wandb or trackio when the run has ended; repeat it.",
        "TRACKER",
        quiet="where results are kept moves none",
    ),
    Option(
        "--notify",
        "after.notify",
        "text",
        "Output",
        "Send the outcome to this webhook when the run has ended, in Slack's form; the variable EVALKIT_NOTIFY does "
        "the same, off the command line.",
        "URL",
        quiet="who is told moves nothing, and the address is a key",
    ),
    Option(
        "--quiet",
        "",
        "switch",
        "Output",
        "Tell warnings and the result, and nothing of how far it is.",
        quiet="how progress is printed",
    ),
    Option(
        "--json",
        "",
        "switch",
        "Output",
        "Results as one JSON object on standard output, progress as JSON lines on standard error.",
        quiet="how the result is printed",
    ),
)

MEASURED_WITH: Final = (
    *("--baseline", "--candidate", "--endpoint", "--endpoint-is", "--served-as", "--vllm", "--vllm-python"),
    *("--profile", "--serve-arg", "--serve-env", "--trust-remote-code", "--config", "--output", "--json"),
)
"""Those of ``evalkit run`` that ``evalkit perf`` has as well."""
PERF_OPTIONS: Final = (
    Option(
        "--use",
        "perf.uses",
        "texts",
        "Measuring",
        "A use's name or TOML file; repeat it. By default the published card's three: document-vqa, visual-reasoning, "
        "image-captioning. Of text: chat, code-completion, summarization, rag.",
        "USE",
    ),
    Option(
        "--engine",
        "perf.engine",
        "choice",
        "Measuring",
        "Who sends the queries: GuideLLM (the default) in an environment that evalkit makes, or `vllm bench serve` of "
        "the serving interpreter. Rows of two engines are not comparable.",
        choices=("guidellm", "vllm-bench"),
    ),
    Option(
        "--engine-python",
        "perf.engine_python",
        "text",
        "Measuring",
        "The interpreter that has the engine, if not evalkit's own.",
        "PYTHON",
        _MACHINE,
    ),
    Option("--starts", "perf.starts", "count", "Measuring", "Starts of each server; 2 by default.", "N"),
    Option(
        "--queries",
        "perf.queries",
        "count",
        "Measuring",
        "Single-stream queries of each use and start; 50 by default.",
        "N",
    ),
    Option(
        "--queries-at-once",
        "perf.queries_at_once",
        "count",
        "Measuring",
        "Multi-stream queries of each use and start; by default four times those under way at once, at least 64.",
        "N",
    ),
    Option(
        "--concurrency",
        "perf.concurrency",
        "count",
        "Measuring",
        "Multi-stream queries under way at once; by default twice the server's batch, at most 256.",
        "N",
    ),
    Option("--warmups", "perf.warmups", "count", "Measuring", "Queries before each cell; 4 by default.", "N", least=0),
    Option(
        "--deadline",
        "perf.deadline_s",
        "number",
        "Measuring",
        "For one cell; 1800 by default.",
        "SECONDS",
        quiet="how long a cell is waited for",
    ),
    Option(
        "--most-idle",
        "perf.most_idle",
        "number",
        "Measuring",
        "The engine's own delay that is borne, as a share of the time; 0.05 by default.",
        "SHARE",
    ),
    Option(
        "--price",
        "perf.price",
        "number",
        "Prices",
        "What an hour of one GPU (or of the machine, on a CPU) costs.",
        "AMOUNT",
    ),
    Option(
        "--price-source",
        "perf.price_source",
        "text",
        "Prices",
        "Whose price that is, and of when: 'NAME, DATE'.",
        "TEXT",
    ),
    Option("--currency", "perf.currency", "text", "Prices", "Of the price; USD by default.", "NAME"),
    Option(
        "--prices",
        "perf.prices",
        "text",
        "Prices",
        "A TOML file of prices, [[price]] with gpu, price, currency, source and date each.",
        "FILE",
    ),
)
BY_NAME: Final = {one.name: one for one in (*OPTIONS, *PERF_OPTIONS)}
