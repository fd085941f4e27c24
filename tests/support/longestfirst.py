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
    REAL_VLLM: 330,
    "test_run.py": 60,
    "test_perf.py": 60,
    "test_perf_killed.py": 20,
    "test_card.py": 20,
    "test_wheel.py": 70,
    "test_making.py": 60,
    "test_real_quantizer.py": 50,
    "test_quantizing.py": 40,
    "test_deaths.py": 40,
    "test_attacks.py": 45,
    TRANSFORMERS: 45,
    "test_report_page.py": 40,
    "test_texts.py": 36,
    "test_lifecycle.py": 35,
    "test_command_line.py": 20,
    "test_evalplus_checker.py": 29,
    "test_run_humaneval.py": 28,
    "test_two_releases.py": 20,
    "test_evalplus_attacks.py": 19,
    "test_run_options.py": 14,
    "test_compare_exports.py": 25,
    "test_browsers.py": 18,
    "test_demo_command.py": 18,
    "test_run_text_tasks.py": 17,
    "test_peer_failures.py": 13,
    "test_evalplus_extract.py": 11,
    "test_invalidation.py": 10,
    "test_score_task.py": 10,
    "test_view_command.py": 9,
    "test_environment.py": 8,
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
