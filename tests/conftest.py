"""What several test files need: a folder in which the command line can make a comparison, and a real vLLM."""

import os

import pytest
import realserver
from workplaces import CHARTQA, DOCVQA, FAKE_VLLM, Workplace, charts, model_folder, pages, write_parquet


@pytest.fixture
def workplace(tmp_path):
    model_folder(tmp_path / "base", b"base")
    model_folder(tmp_path / "cand", b"cand")
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "pages.toml").write_text(DOCVQA)
    (tasks / "charts.toml").write_text(CHARTQA)
    write_parquet(tasks / "pages.parquet", pages(40))
    write_parquet(tasks / "charts.parquet", charts(30))
    env = {key: value for key, value in os.environ.items() if not key.startswith(("EVALKIT_", "VLLM_"))}
    env |= {
        "PYTHONPATH": str(FAKE_VLLM),
        "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "COLUMNS": "120",
    }
    return Workplace(tmp_path, env)


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    """A tiny random model on a real vLLM, started for the first test that asks for it."""
    with realserver.tiny_model(tmp_path_factory.mktemp("real-server")) as served:
        yield served
