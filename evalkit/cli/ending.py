"""How the command line ends: what it says of an error, and the exit code that the outcome deserves.

Whatever a command raises comes here, also what nobody expected: a crash ends with 5, in one line, and never with the 1
of a gate that failed.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit import __version__
from evalkit.base.errors import ConfigError, EvalkitError, ExitCode, FullDiskError, InfrastructureError, is_full
from evalkit.base.printable import is_secret, one_line, printable
from evalkit.cli.library_log import standard_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def ending(command: Callable[[], int | None]) -> int:
    """Run ``command``; the exit code that a shell is to see. Nothing escapes."""
    try:
        return _ending(command)
    except KeyboardInterrupt:
        # The second Ctrl-C, while the first was being told: everything is closed by now.
        os._exit(ExitCode.INTERRUPTED)
    except BaseException:  # noqa: BLE001 - what is left to a process without memory, when even the telling failed
        with suppress(BaseException):
            os.write(standard_error().fileno(), b"error: evalkit broke off, and had no means left to say why\n")
        return ExitCode.INFRASTRUCTURE


def _ending(command: Callable[[], int | None]) -> int:
    output = sys.stdout
    try:
        code = int(command() or 0)
        sys.stdout.flush()
        if code == ExitCode.INTERRUPTED:
            _leave_at_once()
    except (click.exceptions.Abort, KeyboardInterrupt):
        _leave_at_once()
        stopped()
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        _usage(error)
        return ExitCode.USAGE
    except EvalkitError as error:
        _explain(error)
        return error.exit_code
    except BaseException as error:  # noqa: BLE001 - a crash must not end with the code of a verdict
        return _unexpected(error, reader_left=sys.stdout is not output)
    return code


def _leave_at_once() -> None:
    """From now on a further Ctrl-C, or the like, ends the process without another word."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(ValueError):  # not the main thread
                signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    os._exit(ExitCode.INTERRUPTED)


def _unexpected(error: BaseException, *, reader_left: bool) -> int:
    """The code for what no command raises on purpose.

    When the reader of our output has gone (`evalkit tasks | head`) click puts another standard output in its place and
    leaves with 1, which here says "degraded"; rich leaves so out of the error itself. With 0 click leaves when a shell
    has asked how to complete a word.
    """
    if isinstance(error, SystemExit) and not error.code:
        return ExitCode.FINE
    left = isinstance(error, SystemExit) and (reader_left or isinstance(error.__context__, BrokenPipeError))
    if left or (isinstance(error, OSError) and error.errno == errno.EPIPE):
        _leave_unsaid()
        return ExitCode.READER_GONE
    said = _lack(error) or _crashed(error)
    _explain(said)
    if is_full(error):
        _leave_unsaid()
    return said.exit_code


def _lack(error: BaseException) -> EvalkitError | None:
    """What the machine had no more of, if that is why the command broke off."""
    if is_full(error):
        place = getattr(error, "filename", None) or "a disk"
        return FullDiskError(f"{place}: {error}", fix="make room, then run the same command again")
    again = "then run the same command again"
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return InfrastructureError(f"{error.strerror}", fix=f"raise the limit (ulimit -n 4096); {again}")
    if isinstance(error, FileNotFoundError) and not _stands_somewhere():
        gone = "the folder that evalkit was started in is gone"
        return InfrastructureError(gone, fix=f"change to a folder that is there; {again}")
    return None


def _stands_somewhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _leave_unsaid() -> None:
    """Let go of what standard output could not take: Python would try again at its end, and change the code."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _crashed(error: BaseException) -> EvalkitError:
    """What broke off, whose fault it is, and where the traceback is."""
    story = _without_secrets("".join(traceback.format_exception(error)))
    said = _without_secrets(str(error)).splitlines()
    what = f"{type(error).__name__}{f': {said[0][:300]}' if said and said[0] else ''}"
    kept = None if "--debug" in sys.argv else _keep(story)
    traced, evidence = (f"; its traceback is in {kept}", "") if kept else ("", story)
    if own := _own_code(error):
        notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
        fix = f"correct it there{traced}"
        return ConfigError(f"{own}: code of your own raises {what}{notes}", fix=fix, evidence=evidence)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    fix = f"this is a fault of evalkit{traced}"
    return InfrastructureError(f"evalkit broke off: {what}{where}", fix=fix, evidence=evidence)


def _own_code(error: BaseException) -> str | None:
    """Where a benchmark, metric or harness that evalkit does not bring has raised an error."""
    # What was never imported has run no such code, and may be what cannot be imported.
    extensions = sys.modules.get("evalkit.tasks.extensions")
    return extensions.raised_in(error) if extensions else None


def _keep(story: str) -> Path | None:
    """The traceback in a file of its own; None where none can be written."""
    from tempfile import gettempdir  # noqa: PLC0415 - --help must not wait for these

    from platformdirs import user_log_path  # noqa: PLC0415

    name = f"crash-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    # Not platform.platform(), which starts a process.
    system = " ".join(os.uname()[part] for part in (0, 2, 4))
    head = f"evalkit {__version__}, Python {sys.version.split()[0]}, {system}\n"
    for folder in (user_log_path("evalkit"), Path(gettempdir())):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            # A traceback can quote what its owner alone may read.
            (folder / name).touch(0o600, exist_ok=False)
            (folder / name).write_text(head + story, encoding="utf-8", errors="backslashreplace")
            return folder / name
    return None


def _without_secrets(text: str) -> str:
    """A text without the values of variables that are named like secrets."""
    for name, value in os.environ.items():
        if is_secret(name) and len(value) > 3:
            text = text.replace(value, "***")
    return text


# --- what is said -------------------------------------------------------------------------------


def _explain(error: EvalkitError) -> None:
    """One line for what is wrong and how to mend it, a line for each where it is several; the evidence under it."""
    # A configuration has a line for each key that is wrong. Any other message may quote texts with lines of their own.
    problems = error.message.splitlines() if isinstance(error, ConfigError) else [error.message]
    for number, problem in enumerate(problems, start=1):
        last = number == len(problems)
        fix = f"; {error.fix}" if error.fix and last else ""
        _tell(f"{problem}{fix}", evidence=error.evidence.rstrip() if last else "")


def _usage(error: click.ClickException) -> None:
    """What click says of wrong options: its own way, or the one line for machines."""
    if _for_machines():
        _tell(error.format_message())
    else:
        error.show(standard_error())


def _tell(text: str, evidence: str = "") -> None:
    """Say what is wrong, and show the evidence under it."""
    if _for_machines():
        _write(json.dumps({"event": "Error", "text": one_line(text), **({"evidence": evidence} if evidence else {})}))
    else:
        _write(f"error: {one_line(text)}")
        if evidence:
            _write(evidence)


def stopped(text: str = "stopped") -> None:
    """Say that a person or a scheduler has ended the command."""
    _write(json.dumps({"event": "Stage", "text": text}) if _for_machines() else text)


def notice(text: str) -> None:
    """Say what a person should know, and a machine may."""
    _write(json.dumps({"event": "Notice", "text": one_line(text)}) if _for_machines() else printable(text))


def _write(line: str) -> None:
    """A line on standard error; where that cannot take it, the exit code has to do."""
    with suppress(OSError):
        click.echo(line, file=standard_error())


def _for_machines() -> bool:
    return "--json" in sys.argv
