"""A comparison as a report: `build` it from tallies, then render it as JSON, Markdown or HTML, or show its words.

``facts`` holds what a report is; ``words`` is the one place that rounds.
"""

from __future__ import annotations

from evalkit.report.accuracy import PrintedScores, decimals, file_pair, point_scores, printed, table
from evalkit.report.as_annotations import job_annotations, job_annotations_stopped
from evalkit.report.as_card import model_card
from evalkit.report.as_eval_records import eval_results, every_eval_ever
from evalkit.report.as_html import html
from evalkit.report.as_json import outcome_json, results, results_json, results_text
from evalkit.report.as_junit import junit, junit_stopped
from evalkit.report.as_markdown import markdown
from evalkit.report.as_perf import perf_facts, perf_html, perf_markdown, perf_section
from evalkit.report.as_summary import summary, summary_stopped
from evalkit.report.building import build
from evalkit.report.commands import performance as performance_command
from evalkit.report.commands import run as run_command
from evalkit.report.doubts import better, outside, own_card
from evalkit.report.facts import (
    AVERAGE,
    IMPORTED,
    Average,
    Comparability,
    NoiseFloor,
    Published,
    Report,
    Row,
)
from evalkit.report.flip_cards import PICTURES, Evidence
from evalkit.report.words import (
    completeness,
    differences,
    drift_table,
    noise_table,
    percent,
    published_table,
    recovery_text,
    sentences,
    verdict_text,
    weights_table,
)

__all__ = [
    "AVERAGE",
    "IMPORTED",
    "PICTURES",
    "Average",
    "Comparability",
    "Evidence",
    "NoiseFloor",
    "PrintedScores",
    "Published",
    "Report",
    "Row",
    "better",
    "build",
    "completeness",
    "decimals",
    "differences",
    "drift_table",
    "eval_results",
    "every_eval_ever",
    "file_pair",
    "html",
    "job_annotations",
    "job_annotations_stopped",
    "junit",
    "junit_stopped",
    "markdown",
    "model_card",
    "noise_table",
    "outcome_json",
    "outside",
    "own_card",
    "percent",
    "perf_facts",
    "perf_html",
    "perf_markdown",
    "perf_section",
    "performance_command",
    "point_scores",
    "printed",
    "published_table",
    "recovery_text",
    "results",
    "results_json",
    "results_text",
    "run_command",
    "sentences",
    "summary",
    "summary_stopped",
    "table",
    "verdict_text",
    "weights_table",
]
