"""The real llm-compressor on small models: what it makes passes, and what would go wrong is refused.

All of it takes less than a minute of processor time, half of that for the tiny families. One thread:
several that wait for each other on a busy machine take many times as long.
"""

import json
import os
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest

from demo_model import calibration
from evalkit.base.types import Model
from evalkit.demo import pair
from evalkit.quantize import FAMILIES, SCHEMES, audit, work
from evalkit.serve import environment, tools
from support import wants
from support.commands import evalkit

pytestmark = pytest.mark.quantizer
TINY = Path(wants.__file__).with_name("tiny_families.py")
HOW_TO = Path(__file__).resolve().parents[2] / "docs/how-to/quantize.md"
NAMES = sorted(FAMILIES.keys() - {"llava"})
"""The demonstration's baseline is the LLaVA."""


@pytest.fixture(scope="session")
def python():
    """The interpreter that has llm-compressor, in an environment that evalkit made earlier."""
    found = [one for one in tools.environments() if one.tool == "llmcompressor"]
    return str(found[0].interpreter) if found else wants.missing("llm-compressor")


@pytest.fixture(scope="session")
def made(python, tmp_path_factory):
    """A function: a scheme -> the folder of the demonstration's candidate in it, made once, with its output."""
    folder, known = tmp_path_factory.mktemp("real"), {}
    calibration.write(folder / "chats.parquet", 18)

    def make(scheme):
        if scheme not in known:
            data = ["--calibration", folder / "chats.parquet", "--samples", 16] if SCHEMES[scheme].calibrated else []
            words = [pair.MODELS / pair.BASELINE, "--scheme", scheme, "-o", folder / scheme, "--python", python, *data]
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("OMP_NUM_THREADS", "1")
                patch.chdir(folder)
                known[scheme] = folder / scheme, evalkit("quantize", *words)
        return known[scheme]

    return make


@pytest.mark.parametrize("scheme", ["fp8-dynamic", "w8a8"])
def test_the_demonstrations_baseline(made, scheme):
    folder, ended = made(scheme)
    assert ended.code == 0, ended.err
    found = environment.checkpoint(Model("", str(folder), ""))
    assert found.layers == {"language_model": 56}
    assert set(environment.stored_as(folder).values()) == {SCHEMES[scheme].stored}
    record = json.loads((folder / environment.RECORD).read_text())
    assert record["releases"]["llmcompressor"].startswith("0.14.")
    assert record["sequential_targets"] == ["MistralDecoderLayer"]
    assert "quantizing layer 8 of 8" in ended.err
    assert environment.making(Model("", str(folder), ""))["recipe"].startswith("default_stage")


def test_it_is_the_packed_candidate_but_for_some_steps(made):
    """The scales of int8 weights come from the weights alone: whatever calibrates it, they are the packed ones."""
    folder, _ = made("w8a8")
    ours, packed = (_bytes(one, "weight_scale") for one in (folder, pair.MODELS / pair.QUANTIZED))
    assert len(ours) == 56
    assert ours == packed


def _bytes(folder, ending):
    """The tensors of a checkpoint whose names end so, as they are stored."""
    data = (folder / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    found = {name: one["data_offsets"] for name, one in header.items() if name.endswith(ending)}
    return {name: data[start + first : start + last] for name, (first, last) in found.items()}


@pytest.fixture(scope="session")
def tiny(python, tmp_path_factory):
    """The folder of tiny models of every other family with what was made of them, and with what was refused."""
    folder = tmp_path_factory.mktemp("tiny")
    job = {
        "source": str(pair.MODELS / pair.BASELINE),
        "target": str(folder / "refused"),
        "scheme": "FP8_DYNAMIC",
        "loader": FAMILIES["llava"].loader,
        "must": ["re:.*lm_head", "re:vision_tower.*"],
        "may": [],
        "chats": None,
        "longest": 1,
        "seed": 0,
        "events": str(folder / "refused.events"),
    }
    (folder / "refused.job").write_text(json.dumps(job))
    jobs = {name: {"loader": FAMILIES[name].loader, "must": FAMILIES[name].kept} for name in NAMES}
    command = [
        python,
        "-P",
        str(TINY),
        str(work.WORKER),
        str(folder),
        json.dumps(jobs),
        str(pair.MODELS / pair.BASELINE),
        str(folder / "refused.job"),
    ]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_model_of_every_family_in_every_scheme(tiny, name, scheme):
    source = environment.checkpoint(Model("", str(tiny / name), ""))
    assert audit.faults(source, tiny / f"{name}.{scheme}", SCHEMES[scheme]) == []
    # Seven linear layers in each of two decoder layers.
    assert environment.checkpoint(Model("", str(tiny / f"{name}.{scheme}"), "")).layers == {"language_model": 14}


def test_those_are_calibrated_on_pictures_that_the_how_to_names(tiny):
    text = HOW_TO.read_text(encoding="utf-8")
    rows = (line.split("|")[1:3] for line in text.splitlines() if line.startswith("| "))
    families = {name.strip(): [*re.findall(r"`(\w+)`", types)] for name, types in rows}
    found = re.search(r"in all three schemes, (.+?) calibrated on pictures, the others on text", " ".join(text.split()))
    named = {*chain.from_iterable(families.get(one, [one.strip("`")]) for one in found[1].split(" and "))}
    assert named < {*NAMES}
    chats = {name: Path((tiny / f"{name}.chats").read_text()).read_text().splitlines() for name in NAMES}
    shown = {name: {"images" in json.loads(line) for line in lines} for name, lines in chats.items()}
    assert shown == {name: {name in named} for name in NAMES}


def test_a_pattern_that_matches_nothing_is_refused_before_anything_is_quantized(tiny):
    """The published pattern of the vision tower, of shorter module names: FP8 would take the tower along."""
    assert (tiny / "refused.code").read_text() == "3"
    assert "fits re:vision_tower.*: what it left out has another name" in (tiny / "refused.events").read_text()
    assert not (tiny / "refused").exists()
