import pytest

from support.tinywheels import offline, shelf


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels, which is all that uv can reach; environments are made in a cache of the test's own."""
    folder = shelf(tmp_path / "wheels")
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in offline(folder, tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    return folder
