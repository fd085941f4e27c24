"""What is done for the next model while one answers."""

from evalkit import serve


def seen_reading(monkeypatch):
    """Receives, for each model that is ready, the labels of those whose weights are read from then on."""
    begun = []

    class Seen(serve.ReadAhead):
        def begin(self):
            begun.append([model.label for model in self._models])
            super().begin()

    monkeypatch.setattr(serve, "ReadAhead", Seen)
    return begun


def test_the_next_models_weights_are_read_once_a_server_is_ready(workplace, monkeypatch):
    begun = seen_reading(monkeypatch)
    workplace.here(*workplace.comparison(), check=0)
    assert begun == [["cand"], []]


def test_nothing_is_read_for_a_model_that_will_not_be_served(workplace, monkeypatch):
    words = ["--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--json"]
    workplace.here("run", "--baseline", "cand", *words, check=0)
    begun = seen_reading(monkeypatch)
    workplace.here(*workplace.comparison(), check=0)
    assert begun == [[]]
