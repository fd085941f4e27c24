"""The stand-in server of `evalkit.testing` as a program, in the place of vLLM's.

vLLM's own flags are accepted, and those that mean nothing here are ignored::

    python tests/support/servers.py --model tiny --port 8000 --part faults:7 --journal asked.txt

It has further troubles, before and after it listens: ``--log-mib``, ``--exit-saying``, ``--never-listen``,
``--ignore-sigterm``, ``--die-after``, ``--die-on``, ``--sick-gpu`` (see ``--help``).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from evalkit.testing import Asked, ModelServer

if TYPE_CHECKING:
    from collections.abc import Callable


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A model server for tests, in vLLM's place.", allow_abbrev=False)
    parser.add_argument("--model", default="tiny", help="what is served, under this name unless another is given")
    parser.add_argument("--served-model-name", nargs="+")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-model-len", type=int, default=4096)
    parser.add_argument("--part", default="fine", help="how chat requests are answered, such as faults:7")
    parser.add_argument("--delay-s", type=float, default=0.0, help="before every answer")
    parser.add_argument("--delay-until", help="no delay any more once this file exists")
    parser.add_argument("--journal", help="append the digest of every chat request to this file as it comes in")
    parser.add_argument("--log-mib", type=int, default=0, help="write so much to stderr before listening")
    parser.add_argument("--exit-saying", help="do not listen: write this to stderr and exit with 1")
    parser.add_argument("--never-listen", action="store_true", help="live, and fall silent before listening")
    parser.add_argument("--ignore-sigterm", action="store_true", help="only SIGKILL ends it")
    parser.add_argument("--die-after", type=int, default=0, help="kill itself when so many chat requests have come")
    parser.add_argument("--die-on", nargs="+", default=[], help="kill itself at a request with this text in it")
    parser.add_argument("--die-saying", help="with --die-on: write this file to stderr before")
    parser.add_argument("--with-engine", action="store_true", help="have a process of one's own, as vLLM's engine is")
    parser.add_argument("--sick-gpu", help="only where this one is visible does it die")
    options = parser.parse_known_args(words)[0]
    if options.sick_gpu and options.sick_gpu != os.environ.get("CUDA_VISIBLE_DEVICES"):
        options.die_after, options.die_on = 0, []
    return options


ENGINE = "import time; time.sleep(600)  # the engine of a stand-in"
"""It does not see that its server is gone."""


def log(line: str) -> None:
    sys.stderr.write(f"INFO [servers.py] {line}\n")
    sys.stderr.flush()


def watcher(server: ModelServer, journal: IO[str] | None, options: argparse.Namespace) -> Callable[[Asked], None]:
    """What a program does with every chat request: write it down, and perhaps die."""
    count = 0

    def on_asked(asked: Asked) -> None:
        nonlocal count
        count += 1
        if options.delay_until and Path(options.delay_until).exists():
            server.delay_s = 0.0
        if journal is not None:
            journal.write(f"{asked.digest}\n")
            journal.flush()
        deadly = [text for text in options.die_on if text.encode() in asked.body]
        if deadly and options.die_saying:
            sys.stderr.write(Path(options.die_saying).read_text(encoding="utf-8"))
            sys.stderr.flush()
        if count == options.die_after or deadly:
            log(f"dying after {count} requests")
            os.kill(os.getpid(), signal.SIGKILL)

    return on_asked


async def serve(options: argparse.Namespace, make: type[ModelServer] = ModelServer) -> None:
    name = options.served_model_name[0] if options.served_model_name else options.model
    server = make(
        name,
        options.part,
        delay_s=options.delay_s,
        max_model_len=options.max_model_len,
        address=(options.host, options.port),
    )
    stop = asyncio.Event()
    if not options.ignore_sigterm:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if options.never_listen:
        log("Loading weights")
        await stop.wait()
        return
    if options.with_engine:
        subprocess.Popen([sys.executable, "-c", ENGINE])  # noqa: ASYNC220
    journal = Path(options.journal).open("a", encoding="utf-8") if options.journal else None  # noqa: ASYNC230, SIM115
    server.on_asked = watcher(server, journal, options)
    await server.listen()
    log(f"Started server process, serving {name} on {server.url}")
    await stop.wait()


def main(words: list[str]) -> int:
    options = arguments(words)
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(options.log_mib * 2**20 // 128):
        sys.stderr.write(f"{number:08d} ".ljust(127, "l") + "\n")
    why = Path(options.model) / "unservable.txt"
    if options.exit_saying or why.is_file():
        log(options.exit_saying or why.read_text(encoding="utf-8"))
        return 1
    asyncio.run(serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
