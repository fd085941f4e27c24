"""Which GPUs each server gets, and that none of it can move an answer's identity."""

import json
import os

import pytest

from evalkit.base.errors import UsageError
from evalkit.base.types import Model
from evalkit.serve import Serving, environment, numerics
from evalkit.serve.placement import ServerPlace, placement, spread
from support.workplaces import fitted_out

H100 = "{}, GPU-{}, NVIDIA H100 80GB HBM3, 81559, 0, 81046, 570.86.15"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function: which GPUs nvidia-smi lists from then on."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(*lines):
        program = tmp_path / "nvidia-smi"
        text = "\n".join(lines)
        program.write_text(f"#!/bin/sh\ncat <<'E'\n{text}\nE\n")
        program.chmod(0o755)

    return make


def four():
    return [H100.format(number, f"{number}{number}") for number in range(4)]


def placed(models=("base", "cand"), *, one_after_another=False, **serving):
    one = Serving(command=("vllm",), **serving)
    return placement(dict.fromkeys(models, one), one_after_another=one_after_another)


def gpus_of(found):
    return [{label: [one.gpus for one in places] for label, places in turn.items()} for turn in found.turns]


def test_without_a_word_each_model_in_turn_has_one_server_that_takes_what_it_finds(machine):
    machine(*four())
    found = placed()
    assert gpus_of(found) == [{"base": [()]}, {"cand": [()]}]
    assert found.words() == ()
    one = Serving(command=("vllm",))
    assert found.turns[0]["base"][0].serving(one) == one


def test_named_gpus_serve_all_models_at_the_same_time_and_each_as_often_as_fits(machine):
    machine(*four())
    found = placed(gpus="0,1,2,3")
    assert gpus_of(found) == [{"base": [("0",), ("1",)], "cand": [("2",), ("3",)]}]
    assert found.words() == ("base on GPU 0, GPU 1 (2 servers); cand on GPU 2, GPU 3 (2 servers)",)
    assert found.share == 1 / 4
    assert placed(("base", "a", "b"), gpus="1,3").share == 2 / 3
    assert placed().share == 1


def test_one_after_another_gives_each_all_of_them(machine):
    machine(*four())
    found = placed(gpus="0,1,2", one_after_another=True)
    assert gpus_of(found) == [{"base": [("0",), ("1",), ("2",)]}, {"cand": [("0",), ("1",), ("2",)]}]


def test_more_models_than_room_take_turns(machine):
    machine(*four())
    found = placed(("base", "a", "b"), gpus="1,3")
    assert gpus_of(found) == [{"base": [("1",)], "a": [("3",)]}, {"b": [("1",)]}]


def test_tensor_parallel_servers_get_slices(machine):
    machine(*four())
    found = placed(gpus="0,1,2,3", args={"tensor-parallel-size": 2})
    assert gpus_of(found) == [{"base": [("0", "1")], "cand": [("2", "3")]}]
    assert gpus_of(placed(args={"tensor-parallel-size": 2}, replicas=2)) == [
        {"base": [("0", "1"), ("2", "3")]},
        {"cand": [("0", "1"), ("2", "3")]},
    ]


def test_replicas_alone_take_the_gpus_that_are_seen(machine, monkeypatch):
    machine(*four())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert gpus_of(placed(replicas="auto")) == [{"base": [("2",)], "cand": [("3",)]}]
    assert gpus_of(placed(("base",), replicas=2)) == [{"base": [("2",), ("3",)]}]


def test_replicas_keep_to_the_gpus_that_the_servers_variables_leave_them(machine):
    machine(*four())
    theirs = {"CUDA_VISIBLE_DEVICES": "1,3"}
    assert gpus_of(placed(("base",), replicas="auto", env=theirs)) == [{"base": [("1",), ("3",)]}]
    with pytest.raises(UsageError, match="no GPU 0 here"):
        placed(gpus="0", env=theirs)


def test_what_does_not_fit_is_told(machine):
    machine(*four())
    with pytest.raises(UsageError, match="3 servers of 2 GPUs each do not fit on 4 GPUs"):
        placed(replicas=3, args={"tensor-parallel-size": 2})
    with pytest.raises(UsageError, match="no GPU 7 here"):
        placed(gpus="0,7")


def test_gpus_of_different_kinds_are_refused(machine):
    machine(H100.format(0, "00"), H100.format(1, "11").replace("H100 80GB", "H200"))
    with pytest.raises(UsageError, match="different kinds: NVIDIA H100 80GB HBM3, NVIDIA H200 HBM3"):
        placed(gpus="0,1")
    one = Serving(command=("vllm",), gpus="0,1")
    accepted = placement({"base": one, "cand": one}, one_after_another=False, any_kind=True)
    assert gpus_of(accepted) == [{"base": [("0",)], "cand": [("1",)]}]
    # What answered is told: whichever kind had room, or the one that was chosen.
    assert environment.engine(one).accelerator == "NVIDIA H100 80GB HBM3 or NVIDIA H200 HBM3 x1"
    assert environment.engine(Serving(command=("vllm",), gpus="1")).accelerator == "NVIDIA H200 HBM3 x1"


def test_mixed_kinds_are_accepted_by_their_name_on_the_command_line(machine, tmp_path):
    machine(H100.format(0, "00"), H100.format(1, "11").replace("H100 80GB", "H200"))
    place = fitted_out(tmp_path)
    (place.folder / "evalkit.toml").write_text('[serve]\ndevice = "gpu"\n')
    path = os.environ["PATH"]
    words = place.comparison("--config", "evalkit.toml", "--gpus", "0,1")[1:]
    refused = place.here("plan", *words, check=2, PATH=path)
    assert "GPUs of different kinds" in refused.stderr
    assert "--accept-difference accelerator" in refused.stderr
    found = place.here("plan", *words, "--accept-difference", "accelerator", check=0, PATH=path)
    assert json.loads(found.stdout)["placement"] == ["base on GPU 0 (1 server); cand on GPU 1 (1 server)"]


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"architectures": ["MistralForCausalLM"], "text_config": {"hidden_size": 8}}, False),
        ({"architectures": ["MixtralForCausalLM"], "num_local_experts": 8}, True),
        ({"text_config": {"n_routed_experts": 64}}, True),
        (None, True),
    ],
)
def test_copies_of_a_dense_model_in_one_server_are_no_part_of_an_identity(machine, tmp_path, config, kept):
    machine(*four())
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    model = Model("m", str(tmp_path), "b" * 64)
    plain, copies = (
        environment.engine(Serving(command=("vllm",), args=args), model)
        for args in ({"tensor-parallel-size": 2}, {"tensor-parallel-size": 2, "data-parallel-size": 2})
    )
    assert (plain == copies) is not kept
    many = Serving(command=("vllm",), args={"tensor-parallel-size": 2, "api-server-count": 4})
    assert environment.engine(many, model) == plain


def test_a_cpu_has_no_gpus_and_may_have_replicas():
    with pytest.raises(UsageError, match="computes on the CPU"):
        placed(device="cpu", gpus="0")
    assert gpus_of(placed(("base",), device="cpu", replicas=2)) == [{"base": [(), ()]}]


def test_a_place_is_no_part_of_an_identity():
    plain = Serving(command=("vllm",), port=8000)
    there = ServerPlace(("2", "3"), 1).serving(plain)
    assert there.env == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "2,3"}
    assert there.port == 8001
    assert numerics(there) == numerics(plain)


def test_servers_on_other_hosts_are_told_by_where_they_are_and_their_gpus_count_as_these_do(machine):
    machine(*four())
    elsewhere = [ServerPlace(number=at, where="the cluster") for at in range(5)]
    found = spread(["base", "cand"], elsewhere, "auto", one_after_another=False)
    assert found.words() == ("base on the cluster (2 servers); cand on the cluster (2 servers)",)
    (turn,) = found.turns
    assert [one.number for places in turn.values() for one in places] == [0, 1, 2, 3]
    in_turn = spread(["base", "cand"], elsewhere, 3, one_after_another=True)
    assert [{label: len(places) for label, places in one.items()} for one in in_turn.turns] == [
        {"base": 3},
        {"cand": 3},
    ]
    here, there = Serving(command=("vllm",)), Serving(command=("vllm",), ray="auto", replicas=3)
    same = environment.engine(there, kinds=("NVIDIA H100 80GB HBM3",))
    assert same == environment.engine(here)
    # A host without a GPU asks for others.
    machine()
    assert environment.engine(there, kinds=("NVIDIA H100 80GB HBM3",)) == same
