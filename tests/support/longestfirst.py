"""Which worker gets which test file next: the one that takes longest, and everything with a real vLLM in one worker.

A file is handed out whole, so one that takes minutes and comes last keeps everybody waiting. Two real vLLMs side by
side would only take each other's cores; and the files that ask the session's own small server start it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

REAL_VLLM, TRANSFORMERS = "real vLLM", "transformers"
TOGETHER = {
    **dict.fromkeys(("test_evalplus_session.py", "test_lm_eval_vllm.py", "test_real_vllm.py"), REAL_VLLM),
    "test_run_lm_eval_vllm.py": REAL_VLLM,
    # Importing it takes ten seconds, once in a process.
    **dict.fromkeys(("test_lm_eval_tokens.py", "test_tiny.py", "test_agree.py", "test_model.py"), TRANSFORMERS),
}
"""Files that one worker gets together, by name, which is unique here: a folder that moves changes nothing."""
SECONDS = {
    REAL_VLLM: 450,
    "test_wheel.py": 135,
    "test_run.py": 130,
    "test_run_text_tasks.py": 122,
    TRANSFORMERS: 121,
    "test_real_quantizer.py": 87,
    "test_making.py": 76,
    "test_demo_command.py": 60,
    "test_run_early_baseline.py": 55,
    "test_report_page.py": 50,
    "test_forecast_and_gate.py": 48,
    "test_attacks.py": 42,
    "test_run_humaneval.py": 39,
    "test_run_replicas.py": 39,
    "test_perf.py": 38,
    "test_texts.py": 29,
    "test_evalplus_checker.py": 28,
    "test_lm_eval_session.py": 28,
    "test_own_benchmark.py": 27,
    "test_perf_killed.py": 23,
    "test_kept_pass.py": 23,
    "test_named_equality.py": 23,
    "test_lifecycle.py": 22,
    "test_deaths.py": 22,
    "test_command_line.py": 22,
    "test_evalplus_extract.py": 21,
    "test_endpoint_answers.py": 21,
    "test_fetch.py": 18,
    "test_run_early.py": 18,
    "test_quantizing.py": 17,
    "test_view_command.py": 17,
    "test_evalplus_bounds.py": 17,
    "test_compare_command.py": 16,
    "test_environment.py": 15,
    "test_readings.py": 15,
    "test_watcher.py": 15,
    "test_evalplus_modules.py": 15,
    "test_nights.py": 13,
    "test_score_task.py": 13,
    "test_library_log.py": 13,
    "test_trackers.py": 12,
    "test_evalplus_attacks.py": 11,
    "test_harness.py": 11,
    "test_lm_eval_data.py": 11,
    "test_gate.py": 11,
    "test_early.py": 11,
    "test_wants.py": 10,
    "test_two_releases.py": 10,
    "test_view_pages.py": 10,
    "test_since.py": 10,
    "test_questions_scenes.py": 10,
}
"""What keeps a worker longest, in seconds of a quiet machine. Only the order counts; the rest goes by its tests."""


class LongestFirst(LoadScopeScheduling):
    """Whole files, as ``--dist loadfile`` hands them out, but not by the number of their tests."""

    def _split_scope(self, nodeid: str) -> str:
        """What is handed out together with this test."""
        name = nodeid.partition("::")[0].rpartition("/")[2]
        return TOGETHER.get(name, name)

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = max(self.workqueue, key=lambda scope: (SECONDS.get(scope, 0), len(self.workqueue[scope])))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
