"""Accuracy and speed tables in the shapes in which model cards have them, written from unrounded results.

Every shape is a function that writes a card's text through a `Writer`, which notes each figure that others determine
and can print another figure in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

SIZES = {
    "ARC-Challenge (25-shot)": 1172,
    "GSM8K (5-shot, strict-match)": 1319,
    "HellaSwag (10-shot)": 10042,
    "Winogrande (5-shot)": 1267,
    "BoolQ": 3270,
    "PIQA": 1838,
    "OpenBookQA": 500,
    "SciQ": 1000,
    "MATH-500": 500,
    "MedQA": 1273,
    "CommonsenseQA": 1221,
    "House questions": 2000,
    "Invented tasks v2": 700,
}
"""Benchmarks with the number of samples of their scores, the last two unknown to anybody."""


@dataclass
class Results:
    """What was measured: right answers by task and model, seconds and rates by use case and model."""

    groups: dict[str, dict[str, tuple[int, ...]]]
    """Category to task to right answers by model, the baseline first; at least two tasks each."""
    models: tuple[str, ...] = ("acme/Nova-8B", "acme/Nova-8B-FP8", "acme/Nova-8B-W4A16")
    seconds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Use case to latency by model."""

    def share(self, task: str, model: int) -> Fraction:
        return next(Fraction(100 * tasks[task][model], SIZES[task]) for tasks in self.groups.values() if task in tasks)

    def mean(self, group: str | None, model: int) -> Fraction:
        tasks = [task for name, some in self.groups.items() for task in some if group in (None, name)]
        return sum((self.share(task, model) for task in tasks), Fraction(0)) / len(tasks)


@dataclass
class Writer:
    """Prints figures, and remembers those that follow from others by a key."""

    results: Results
    decimals: int = 2
    planted: dict[tuple, str] = field(default_factory=dict)
    """Key to what is printed in its place."""
    derived: dict[tuple, str] = field(default_factory=dict)
    inputs: dict[tuple, str] = field(default_factory=dict)

    def number(self, value: float | Fraction, decimals: int | None = None) -> str:
        return f"{float(value):.{self.decimals if decimals is None else decimals}f}"

    def _keep(self, where: dict[tuple, str], key: tuple, text: str) -> str:
        where[key] = self.planted.get(key, text)
        return where[key]

    def score(self, task: str, model: int) -> str:
        return self._keep(self.inputs, ("score", task, model), self.number(self.results.share(task, model)))

    def average(self, group: str | None, model: int) -> str:
        return self._keep(self.derived, ("average", group, model), self.number(self.results.mean(group, model)))

    def recovery(self, task: str, model: int, decimals: int = 2) -> str:
        value = 100 * self.results.share(task, model) / self.results.share(task, 0)
        return self._keep(self.derived, ("recovery", task, model), self.number(value, decimals))

    def average_recovery(self, group: str | None, model: int, decimals: int = 2) -> str:
        value = 100 * self.results.mean(group, model) / self.results.mean(group, 0)
        return self._keep(self.derived, ("average recovery", group, model), self.number(value, decimals))

    def difference(self, task: str, model: int) -> str:
        value = self.results.share(task, model) - self.results.share(task, 0)
        return self._keep(self.derived, ("difference", task, model), f"{float(value):+.{self.decimals}f}")

    def seconds(self, use: str, model: int) -> str:
        return self._keep(self.inputs, ("seconds", use, model), f"{self.results.seconds[use][model]:.2f}")

    def speedup(self, model: int, use: str | None = None) -> str:
        ratios = [times[0] / times[model] for name, times in self.results.seconds.items() if use in (None, name)]
        return self._keep(self.derived, ("speedup", use, model), f"{sum(ratios) / len(ratios):.2f}")

    # --- rows ---

    def rows(
        self, *, recovery: bool = True, models: tuple[int, ...] = (1,), suffix: str = ""
    ) -> list[tuple[str, str, list[str]]]:
        """Category, task and cells of every task: scores, then recoveries."""
        found = []
        for group, tasks in self.results.groups.items():
            for task in tasks:
                cells = [self.score(task, 0), *(self.score(task, model) for model in models)]
                if recovery:
                    cells += [self.recovery(task, model) + suffix for model in models]
                found.append((group, task, cells))
        return found

    def mean_row(
        self, group: str | None, *, models: tuple[int, ...] = (1,), recovery: bool = True, suffix: str = ""
    ) -> list[str]:
        cells = [self.average(group, 0), *(self.average(group, model) for model in models)]
        if recovery:
            cells += [self.average_recovery(group, model) + suffix for model in models]
        return cells


def pipes(*rows: list[str], rule: bool = True) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], *(["|" + "---|" * len(rows[0])] if rule else []), *lines[1:]]) + "\n"


def html(*rows: str) -> str:
    return "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "\n</table>\n"


def td(*cells: str, tag: str = "td") -> str:
    return "".join(f"<{tag}>{cell}</{tag}>" for cell in cells)


def _one(w: Writer) -> str:
    return w.results.models[1]


def _tail(w: Writer, names: tuple[int, ...] = (1,)) -> list[str]:
    return [w.results.models[0], *(w.results.models[at] for at in names)]


# --- rows are tasks ---


def plain(w):
    return pipes(
        ["Benchmark", *_tail(w), "Recovery (%)"],
        *[[task, *cells] for _, task, cells in w.rows()],
        ["Average", *w.mean_row(None)],
    )


def _plain_rows(w):
    rows = [[task, *cells] for _, task, cells in w.rows()]
    return [["Benchmark", *_tail(w), "Recovery (%)"], *rows, ["Average", *w.mean_row(None)]]


def tabs(w):
    return "\n".join("\t".join(row) for row in _plain_rows(w)) + "\n"


def blanks_in_a_block(w):
    rows = _plain_rows(w)
    first, *rest = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        row[0].ljust(first) + "".join(cell.rjust(wide + 3) for cell, wide in zip(row[1:], rest, strict=True))
        for row in rows
    ]
    return "```\n" + "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]]) + "\n```\n"


def percent_signs(w):
    rows = [[task, *cells] for _, task, cells in w.rows(suffix="%")]
    return pipes(["Benchmark", *_tail(w), "Recovery"], *rows, ["**Average**", *w.mean_row(None, suffix="%")])


def categories(w):
    rows = []
    for group, tasks in w.results.groups.items():
        rows += [[name, task, *cells] for name, task, cells in w.rows() if name == group and task in tasks]
        rows.append([group, "Average Score", *w.mean_row(group)])
    return pipes(["Category", "Metric", *_tail(w), "Recovery (%)"], *rows)


def categories_once(w):
    """The category stands in the first of its rows only, and rows without one follow the average."""
    groups = list(w.results.groups)
    rows = []
    for number, (name, task, cells) in enumerate(one for one in w.rows() if one[0] == groups[0]):
        rows.append([name if number == 0 else "", task, *cells])
    rows.append(["", "Average", *w.mean_row(groups[0])])
    rows += [["", task, *cells] for name, task, cells in w.rows() if name != groups[0]]
    return pipes(["Category", "Benchmark", *_tail(w), "Recovery"], *rows)


def titles(w):
    rows = []
    for group in w.results.groups:
        rows.append([f"**{group}**", "", "", ""])
        rows += [[task, *cells] for name, task, cells in w.rows() if name == group]
        rows.append(["Average", *w.mean_row(group)])
    return pipes(["Task", *_tail(w), "Recovery"], *rows)


def average_first(w):
    rows = []
    for group in w.results.groups:
        rows.append([f"{group} average", *w.mean_row(group)])
        rows += [[f"- {task}", *cells] for name, task, cells in w.rows() if name == group]
    return pipes(["Task", *_tail(w), "Recovery"], *rows)


def above_the_line(w):
    """The average's rows begin above a line that looks like a section."""
    every = [[task, *cells] for _, task, cells in w.rows()]
    return pipes(
        ["Task", *_tail(w), "Recovery"], every[0], ["**More**", "", "", ""], *every[1:], ["Average", *w.mean_row(None)]
    )


def overall_of_groups(w):
    return categories(w).rstrip("\n") + "\n" + pipes(["", "Overall average", *w.mean_row(None)], rule=False)


def average_in_names(w):
    """Names that have "average" in them and are tasks."""
    found = w.rows()
    names = [
        "MMLU-ProX (avg over langs)",
        "TydiQA average/f1",
        "Tau2 (average over 3)",
        "Arena avg@4",
        "Tau3 average of 3",
    ]
    names += ["LiveBench (mean of runs)", "Codes (avg.)", "avg_acc of trivia"]
    rows = [[name, *cells] for name, (_, _, cells) in zip(names, found, strict=False)]
    return pipes(["Benchmark", *_tail(w), "Recovery (%)"], *rows)


def metric_column(w):
    metrics = ["acc", "average", "f1", "average", "acc_norm", "average", "acc", "average"]
    rows = [[task, metric, *cells] for (_, task, cells), metric in zip(w.rows(), metrics, strict=False)]
    return pipes(["Benchmark", "Metric", *_tail(w), "Recovery"], *rows)


def two_candidates(w):
    rows = [[task, *cells] for _, task, cells in w.rows(models=(1, 2))]
    return pipes(
        ["Benchmark", *_tail(w, (1, 2)), "Recovery FP8", "Recovery W4A16"],
        *rows,
        ["Average", *w.mean_row(None, models=(1, 2))],
    )


def interleaved(w):
    def mixed(cells):
        return [cells[0], cells[1], cells[3], cells[2], cells[4]]

    rows = [[task, *mixed(cells)] for _, task, cells in w.rows(models=(1, 2))]
    return pipes(
        ["Benchmark", w.results.models[0], _one(w), "Recovery", w.results.models[2], "Recovery"],
        *rows,
        ["Average", *mixed(w.mean_row(None, models=(1, 2)))],
    )


def candidate_first(w):
    rows = [[task, cells[1], cells[0], cells[2]] for _, task, cells in w.rows()]
    return pipes(["Benchmark", _one(w), w.results.models[0], "Recovery (%)"], *rows)


def own_recovery_of_the_baseline(w):
    rows = [
        [task, w.score(task, 0), w.recovery(task, 0), w.score(task, 1), w.recovery(task, 1)]
        for tasks in w.results.groups.values()
        for task in tasks
    ]
    return pipes(["Benchmark", "BF16", "Recovery (%)", "FP8", "Recovery (%)"], *rows)


def shares(w):
    """Scores and recoveries as plain ratios."""
    rows = []
    for tasks in w.results.groups.values():
        for task in tasks:
            base, cand = (w.results.share(task, model) / 100 for model in (0, 1))
            ratio = w._keep(w.derived, ("recovery", task, 1), f"{float(cand / base):.4f}")
            rows.append([task, f"{float(base):.4f}", f"{float(cand):.4f}", ratio])
    return pipes(["Task", "base", "base-int8", "Recovery"], *rows)


def brackets(w):
    rows = [[task, cells[0], f"{cells[1]} ({cells[2]}%)"] for _, task, cells in w.rows()]
    mean = w.mean_row(None)
    return pipes(
        ["Metric", w.results.models[0], f"{_one(w)} (recovery)"],
        *rows,
        ["Average Score", mean[0], f"{mean[1]} ({mean[2]}%)"],
    )


def brackets_unsaid(w):
    rows = [[task, cells[0], f"{cells[1]} ({cells[2]}%)"] for _, task, cells in w.rows()]
    return pipes(["Task", w.results.models[0], _one(w)], *rows)


def differences_beside(w):
    rows = []
    for tasks in w.results.groups.values():
        rows += [[task, w.score(task, 0), f"{w.score(task, 1)} ({w.difference(task, 1)})"] for task in tasks]
    return pipes(["Task", "BF16", "FP8"], *rows)


def difference_column(w):
    rows = []
    for tasks in w.results.groups.values():
        rows += [[task, w.score(task, 0), w.score(task, 1), w.difference(task, 1)] for task in tasks]
    return pipes(["Benchmark", *_tail(w), "Δ"], *rows)


def recovery_with_arrows(w):
    rows = [
        [task, *cells[:2], f"{cells[2]} ↓" if number % 2 else f"{cells[2]}% 🔺"]
        for number, (_, task, cells) in enumerate(w.rows())
    ]
    return pipes(["Benchmark", *_tail(w), "Recovery"], *rows)


def footnotes(w):
    marks = ["<sup>1</sup>", "*", "[^2]", " †", "¹", "\\*\\*", ""]
    rows = [
        [task, cells[0] + mark, cells[1], cells[2] + mark]
        for (_, task, cells), mark in zip(w.rows(), marks * 2, strict=False)
    ]
    return pipes(["Benchmark", *_tail(w), "Recovery"], *rows)


def plus_minus(w):
    rows = [[task, f"{cells[0]} ± 0.41", f"{cells[1]}±1.2", cells[2]] for _, task, cells in w.rows()]
    return pipes(["Benchmark", *_tail(w), "Recovery (%)"], *rows, ["Average", *w.mean_row(None)])


def stderr_columns(w):
    rows = [[task, cells[0], "0.41", cells[1], "0.52", cells[2]] for _, task, cells in w.rows()]
    return pipes(["Benchmark", "BF16", "± stderr", "INT8", "± stderr", "Recovery"], *rows)


def decimal_commas(w):
    rows = [
        [task, *(cell.replace(".", ",") for cell in cells[:2]), cells[2].replace(".", ",") + " %"]
        for _, task, cells in w.rows()
    ]
    mean = [cell.replace(".", ",") for cell in w.mean_row(None)]
    return pipes(["Aufgabe", *_tail(w), "Recovery"], *rows, ["Average", *mean])


def two_runs(w):
    """Scores with the two runs that they are the mean of."""
    rows = []
    for tasks in w.results.groups.values():
        for task in tasks:
            cells = []
            for model in (0, 1):
                score = w.results.share(task, model)
                spread = Fraction(3, 10) + model * Fraction(1, 10)
                mean = w._keep(w.derived, ("runs", task, model), w.number(score, 1))
                cells.append(f"{mean} ({w.number(score - spread, 1)} / {w.number(score + spread, 1)})")
            rows.append([task.replace("MATH-500", "MATH drawn").split(" (")[0] + " drawn", *cells])
    return pipes(["Task", "BF16", "FP8"], *rows)


def settings_columns(w):
    rows = [[task, "5", "1.0", *cells] for _, task, cells in w.rows()]
    return pipes(["Tasks", "n-shot", "Version", "baseline", "quantized", "Recovery"], *rows)


def sample_column(w):
    rows = [[task, *cells, str(SIZES[task])] for _, task, cells in w.rows()]
    return pipes(["Task", *_tail(w), "Recovery (%)", "n"], *rows)


def without_rule(w):
    return pipes(["Benchmark", *_tail(w), "Recovery (%)"], *[[task, *cells] for _, task, cells in w.rows()], rule=False)


def page_text(w):
    lines = ["Category | Benchmark | base | base-quantized.w8a8 | Recovery (%) |", "---|---|---|---|---|"]
    lines += [
        f"{group} | {task}\n| {' | '.join(cells)} |".replace("\n| ", " |\n")
        for group, task, cells in w.rows(suffix="%")
    ]
    return "\n".join(lines) + "\n"


def short_header(w):
    """A heading row with a cell less than the rows, which have a category of their own."""
    groups = list(w.results.groups.items())
    rows = [td("<b>Benchmark</b>", *(f"<b>{name}</b>" for name in _tail(w)), "<b>Recovery</b>")]
    for group, tasks in groups:
        for number, (_, task, cells) in enumerate(one for one in w.rows(suffix="%") if one[0] == group):
            head = f'<td rowspan="{len(tasks)}">{group}</td>' if number == 0 else ""
            rows.append(head + td(task, *cells))
    return html(*rows)


def wide_rows(w):
    """Markdown whose heading and rule have a cell less than the rows."""
    head = "| Benchmark | " + " | ".join(_tail(w)) + " | Recovery |\n|---|---|---|---|\n"
    return head + "".join(f"| {group} | {task} | {' | '.join(cells)} |\n" for group, task, cells in w.rows())


def html_sections(w):
    rows = [td("<strong>Category</strong>", "<strong>Benchmark</strong>", *_tail(w), "Recovery", tag="th")]
    for group, tasks in w.results.groups.items():
        own = [one for one in w.rows() if one[0] == group]
        for number, (_, task, cells) in enumerate(own):
            rows.append(
                (f'<td rowspan="{len(tasks) + 1}"><b>{group}</b></td>' if number == 0 else "") + td(task, *cells)
            )
        rows.append(td("<strong>Average</strong>", *(f"<strong>{cell}</strong>" for cell in w.mean_row(group))))
    return html(*rows)


def html_broken(w):
    """A cell closed by an opening tag, rows without their own tag, a tag without its bracket."""
    text = "<table>\n<tr><th>Benchmark</th><th>BF16</th><th>FP8</th><th>Recovery</th></tr>\n"
    for number, (_, task, cells) in enumerate(w.rows()):
        broken = [
            f"<tr><td>{task}<td><td>{cells[0]}</td><td>{cells[1]}</td><td>{cells[2]}</td></tr>",
            f"<td>{task}</td><td>{cells[0]}</td><td>{cells[1]}</td><td>{cells[2]}</td></tr>",
            f"<tr><td>{task}</td><td>{cells[0]}</td\n<td>{cells[1]}</td><td>{cells[2]}</td>\n",
            f"<tr><td>{task}<td>{cells[0]}<td>{cells[1]}<td>{cells[2]}\n",
        ][number % 2 if number < 2 else number % 4]
        text += broken + "\n"
    return text + "</table>\n"


def html_two_headings(w):
    rows = [
        '<th rowspan="2">Benchmark</th><th colspan="2">Nova-8B</th><th rowspan="2">Recovery (%)</th>',
        td("BF16", "FP8", tag="th"),
        *(td(task, *cells) for _, task, cells in w.rows()),
    ]
    return html(*rows)


def several_baselines(w):
    rows = []
    for tasks in w.results.groups.values():
        for task in tasks:
            first = [w.score(task, 0), w.score(task, 1), w.recovery(task, 1)]
            half = Fraction(w.results.share(task, 0)) / 2
            other = [w.number(half), w.number(half * Fraction(9, 10))]
            ratio = w._keep(w.derived, ("recovery", task, "other"), "90.00")
            rows.append([task.replace("(", "[").replace(")", "]") + " own", *first, *other, ratio])
    return pipes(["Task", "Nova-8B", "Nova-8B-FP8", "Recovery", "Orion-70B", "Orion-70B-FP8", "Recovery"], *rows)


def heading_again(w):
    rows = []
    for group in w.results.groups:
        rows.append(td(f"<b>{group}</b>", *_tail(w), "Recovery"))
        rows += [td(task, *cells) for name, task, cells in w.rows() if name == group]
        rows.append(td("Average", *w.mean_row(group)))
    return html(*rows)


def word_errors(w):
    """Where lower is better, said in the category: (100 - c) / (100 - b)."""
    rows = []
    for tasks in w.results.groups.values():
        for task in tasks:
            base, cand = ((100 - w.results.share(task, model)) / 4 for model in (0, 1))
            right = w._keep(w.derived, ("recovery", task, 1), f"{float(100 * (100 - cand) / (100 - base)):.1f}%")
            rows.append(
                ["Fleurs WER", task.split(" (")[0] + " speech", f"{float(base):.2f}%", f"{float(cand):.2f}%", right]
            )
    return pipes(["Benchmark", "Language", "base", "base-FP8", "Recovery"], *rows)


def perplexities(w):
    rows = []
    for tasks in w.results.groups.values():
        for task in tasks:
            base, cand = (3 + w.results.share(task, model) / 10 for model in (1, 0))
            right = w._keep(w.derived, ("recovery", task, 1), f"{float(100 * base / cand):.2f}")
            rows.append([f"{task.split(' (')[0]} corpus (ppl ↓)", f"{float(base):.3f}", f"{float(cand):.3f}", right])
    return pipes(["Corpus", "BF16", "INT4", "Recovery"], *rows)


def with_lengths(w):
    """Rows that are no scores among the scores of an average."""
    rows = [[task, *cells] for _, task, cells in w.rows()]
    return pipes(
        ["Benchmark", *_tail(w), "Recovery"],
        *rows,
        ["Mean tokens", "512.0", "498.0", "-"],
        ["Average", *w.mean_row(None)],
    )


def missing(w):
    rows = [[task, *cells] for _, task, cells in w.rows()]
    return pipes(
        ["Benchmark", *_tail(w), "Recovery"], *rows, ["Something else", "-", "n/a", "—"], ["And this", "", "", ""]
    )


def recovery_row(w):
    rows = [[task, *cells] for _, task, cells in w.rows(recovery=False, models=(1, 2))]
    mean = w.mean_row(None, models=(1, 2), recovery=False)
    own = [w.average_recovery(None, model, 1) + "%" for model in (1, 2)]
    return pipes(["Task", *_tail(w, (1, 2))], *rows, ["Average", *mean], ["Recovery", "-", *own])


def arrows(w):
    """Both scores in one cell."""
    rows = [[task, f"{cells[0]} → {cells[1]}", cells[2]] for _, task, cells in w.rows()]
    return pipes(["Benchmark", "BF16 → FP8", "Recovery (%)"], *rows)


def fractions(w):
    """Right answers of questions, which nobody rounded."""
    rows = []
    for tasks in w.results.groups.values():
        for task, right in tasks.items():
            cells = [w._keep(w.inputs, ("score", task, at), f"{right[at]}/{SIZES[task]}") for at in (0, 1)]
            rows.append([task, *cells, w.recovery(task, 1)])
    return pipes(["Task", "Original", "Q4_K_M", "Recovery"], *rows)


SUBJECTS = ("anatomy", "astronomy", "virology", "marketing", "sociology", "philosophy", "prehistory", "management")


def groups(w):
    """Rows of groups over the rows of their subjects."""
    rows, subjects = [], iter(SUBJECTS)
    for name, (group, tasks) in zip(("STEM", "Humanities"), w.results.groups.items(), strict=True):
        rows.append([f"**{name}**", w.average(group, 0), w.average(group, 1)])
        rows += [[f"- {next(subjects)}", w.score(task, 0), w.score(task, 1)] for task in tasks]
    return pipes(["Subject", "BF16", "INT8"], *rows)


# --- rows are models ---


def _tasks(w):
    return [task for tasks in w.results.groups.values() for task in tasks]


def models_down(w):
    rows = [[w.results.models[at], *(w.score(task, at) for task in _tasks(w)), w.average(None, at)] for at in (0, 1, 2)]
    return pipes(["Model", *_tasks(w), "Average"], *rows)


def average_before(w):
    rows = [
        [name, w.average(None, at), *(w.score(task, at) for task in _tasks(w))]
        for at, name in enumerate(("BF16", "W8A8", "W4A16"))
    ]
    return pipes(["Method", "avg", *_tasks(w)], *rows)


def models_down_recovery(w):
    rows = []
    for at in (0, 1, 2):
        last = w.average_recovery(None, at)
        rows.append([w.results.models[at], *(w.score(task, at) for task in _tasks(w)), w.average(None, at), last])
    return pipes(["Model", *_tasks(w), "Average", "Recovery (%)"], *rows)


def embedding(w):
    """Columns that are no tasks among the tasks of an average."""
    extra = [["8.03B", "4096", "12.1"], ["8.03B", "4096", "25.9"], ["8.03B", "4096", "31.0"]]
    rows = [
        [w.results.models[at], "8030", *extra[at][1:], *(w.score(task, at) for task in _tasks(w)), w.average(None, at)]
        for at in (0, 1, 2)
    ]
    return pipes(["Model", "Parameters", "Embedding Size", "docs/sec", *_tasks(w), "Avg"], *rows)


def subset_average(w):
    """An average of some columns only, as every row shows."""
    group = next(iter(w.results.groups))
    rest = [task for task in _tasks(w) if task not in w.results.groups[group]][:1]
    tasks = [*w.results.groups[group], *rest]
    rows = [[w.results.models[at], *(w.score(task, at) for task in tasks), w.average(group, at)] for at in (0, 1, 2)]
    return pipes(["Model", *tasks, "Avg."], *rows)


def families(w):
    """Several baselines down the rows."""
    rows = []
    for family in ("Nova-8B", "Nova-70B"):
        for at, name in enumerate(("BF16", "FP8")):
            cells = [w.score(task, at) for task in _tasks(w)]
            key = ("average recovery", f"{family}", at)
            value = 100 * w.results.mean(None, at) / w.results.mean(None, 0)
            last = w._keep(w.derived, key, w.number(value))
            mean = w._keep(w.derived, ("average", family, at), w.number(w.results.mean(None, at)))
            rows.append([family if at == 0 else "", name, *cells, mean, last])
    return pipes(["Model", "Precision", *_tasks(w), "Average", "Recovery"], *rows)


def long_form(w):
    rows = []
    for task in _tasks(w):
        for at, name in enumerate(("BF16", "FP8", "INT4")):
            rows.append([task if at == 0 else "", name, w.score(task, at), w.recovery(task, at) if at else "-"])
    return pipes(["Benchmark", "Precision", "Score", "Recovery (%)"], *rows)


def each_with_recovery(w):
    """A recovery behind every task's column."""
    head = ["Model"]
    for task in _tasks(w):
        head += [task, "Recovery"]
    rows = []
    for at in (0, 1):
        row = [w.results.models[at]]
        for task in _tasks(w):
            row += [w.score(task, at), w.recovery(task, at) if at else "-"]
        rows.append(row)
    return pipes(head, *rows)


# --- speed ---


def speed_down(w):
    uses = list(w.results.seconds)
    rows = [
        [
            "A100x1" if at == 0 else "",
            w.results.models[at],
            w.speedup(at) if at else "",
            *(w.seconds(use, at) for use in uses),
        ]
        for at in (0, 1, 2)
    ]
    return pipes(["GPU class", "Model", "Speedup", *(f"{use} Latency (s)" for use in uses)], *rows)


def speed_each(w):
    uses = list(w.results.seconds)
    head = ["Model", *(name for use in uses for name in (f"{use} TTFT (ms)", "Speedup"))]
    rows = []
    for at in (0, 1, 2):
        row = [w.results.models[at]]
        for use in uses:
            row += [w.seconds(use, at), w.speedup(at, use) + "x" if at else "-"]
        rows.append(row)
    return pipes(head, *rows)


def speed_across(w):
    rows = [
        [f"{use} latency (ms)", w.seconds(use, 0), w.seconds(use, 1), w.speedup(1, use) + "x"]
        for use in w.results.seconds
    ]
    return pipes(["Metric", "BF16", "FP8", "Speedup"], *rows)


def compression_down(w):
    """Sizes, and how many times smaller."""
    use = next(iter(w.results.seconds))
    rows = [[w.results.models[at], w.seconds(use, at), w.speedup(at, use) + "x" if at else "-"] for at in (0, 1, 2)]
    return pipes(["Model", "Size (GB)", "Compression"], *rows)


def costs(w):
    price = 2.5
    uses = list(w.results.seconds)
    head = [
        "Hardware",
        "Model",
        "Average Cost Reduction",
        *(name for use in uses for name in (f"{use} Latency (s)", f"{use} Queries Per Dollar")),
    ]
    rows = []
    for at in (0, 1, 2):
        per = [
            w._keep(w.derived, ("per dollar", use, at), f"{3600 / (price * w.results.seconds[use][at]):.0f}")
            for use in uses
        ]
        ratio = sum(times[0] / times[at] for times in w.results.seconds.values()) / len(uses)
        cells = [cell for use, dollar in zip(uses, per, strict=True) for cell in (w.seconds(use, at), dollar)]
        first = w._keep(w.derived, ("cost reduction", at), f"{ratio:.2f}") if at else ""
        rows.append(["L40Sx1", w.results.models[at], first, *cells])
    return pipes(head, *rows)


ACCURACY = (
    plain, percent_signs, categories, categories_once, titles, average_first, above_the_line, overall_of_groups,
    average_in_names, metric_column, two_candidates, interleaved, candidate_first, own_recovery_of_the_baseline, shares,
    brackets, brackets_unsaid, differences_beside, difference_column, recovery_with_arrows, footnotes, plus_minus,
    stderr_columns, decimal_commas, two_runs, settings_columns, sample_column, without_rule, page_text, short_header,
    wide_rows, html_sections, html_broken, html_two_headings, several_baselines, heading_again, word_errors,
    arrows, fractions, groups,
    perplexities, with_lengths, missing, recovery_row, models_down, average_before, models_down_recovery, embedding,
    subset_average, families, long_form, each_with_recovery, tabs, blanks_in_a_block,
)  # fmt: skip
SPEED = (speed_down, speed_each, speed_across, compression_down, costs)
SHAPES = ACCURACY + SPEED
