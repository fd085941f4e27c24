"""Stands for the worker of `evalkit quantize`: takes its job, and behaves as the variable FAKE_QUANTIZER says."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from support import checkpoints

job = json.loads(Path(sys.argv[1]).read_text())
plays = os.environ.get("FAKE_QUANTIZER", "")
source, target = Path(job["source"]), Path(job["target"])


def tell(event, **facts):
    with Path(job["events"]).open("a") as stream:
        stream.write(json.dumps({"event": event, **facts}) + "\n")


def made(**otherwise):
    checkpoints.quantized(target, source, **{"preset": job["scheme"], **otherwise})


if seen := os.environ.get("FAKE_QUANTIZER_SEES"):
    chats = Path(job["chats"]).read_text().splitlines() if job["chats"] else []
    Path(seen).write_text(json.dumps({**job, "read": [json.loads(one) for one in chats]}))
tell("started")
tell("loaded", layers=2, modules=4, sequential_targets=["SomeDecoderLayer"])
for layer in (1, 2):
    for measuring in (True, False):
        tell("layer", layer=layer, layers=2, done=1, of=1, measuring=measuring)
if plays == "dies":
    print("Traceback: nothing to be done")
    sys.exit(1)
if plays == "refuses":
    tell("refused", reason="no module fits re:.*vision_tower.*")
    sys.exit(3)
if plays == "lacks the tool":
    print("ModuleNotFoundError: No module named 'llmcompressor'")
    sys.exit(1)
if plays == "is killed":
    os.kill(os.getpid(), signal.SIGKILL)
if plays == "runs out of GPU memory":
    print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB")
    sys.exit(1)
if plays == "fills the disk":
    target.mkdir()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
if plays == "ends without a word":
    sys.exit(0)
if plays == "waits":
    target.mkdir()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(os.environ["FAKE_QUANTIZER_PIDS"]).write_text(f"{os.getpid()} {child.pid}\n")
    while True:
        # It goes on writing: what is removed under it must not come back.
        (target / f"{time.monotonic_ns()}").write_text("half")
        time.sleep(0.05)
tell("writing")
if plays == "writes half":
    made()
    whole = (target / "model.safetensors").read_bytes()
    (target / "model.safetensors").write_bytes(whole[: len(whole) // 2])
elif plays == "writes no weights":
    made()
    (target / "model.safetensors").unlink()
elif plays == "quantizes vision":
    made(layers=(*checkpoints.LAYERS, *checkpoints.KEPT[:2]))
elif plays == "quantizes nothing":
    made(layers=())
elif plays == "makes another scheme":
    made(preset="FP8_DYNAMIC")
elif plays == "says another scheme":
    made(preset="FP8_DYNAMIC", says=job["scheme"])
elif plays == "grows":
    made(shape=(512, 512))
elif plays == "writes nothing":
    pass
else:
    made()
if plays == "changes the tokenizer":
    (target / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"b": 0}}}))
elif plays == "loses the chat template":
    (target / "chat_template.jinja").unlink()
told = {"releases": {"llmcompressor": "0.0"}, "seconds": 1.0, "memory_gib": 0.1, "layers": 2, "modules": 4}
shown = len(job["chats"] or "") and len(Path(job["chats"]).read_text().splitlines())
tell("done", sequential_targets=["SomeDecoderLayer"], samples=shown, left_out=0, **told)
