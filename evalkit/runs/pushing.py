"""A model card on the Hub: what pushing it would change, and the commit that does.

Nothing is read of the machine's own login: the token is ``HF_TOKEN`` of the environment, the address ``HF_ENDPOINT``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError, InfrastructureError, UsageError
from evalkit.report.card_in_readme import merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from huggingface_hub import HfApi

    from evalkit.base.errors import EvalkitError

README: Final = "README.md"
_TITLE: Final = "Evaluation by evalkit"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of the repository."""

    path: str
    before: str
    """Empty where there is none."""
    after: str


@dataclass(frozen=True, slots=True)
class Push:
    """What is to become of a repository."""

    repo: str
    parent: str
    """The commit that was looked at: nothing is written over a later one."""
    changes: tuple[FileChange, ...]
    """Of files that do change."""

    @property
    def diff(self) -> Iterator[str]:
        """The changes, line by line, as ``diff -u`` has them."""
        for one in self.changes:
            texts = (one.before.splitlines(), one.after.splitlines())
            yield from unified_diff(*texts, f"{self.repo}/{one.path}", f"{self.repo}/{one.path}", lineterm="")


def prepared(repo: str, card: str, results: Mapping[str, str]) -> Push:
    """Look at a model's repository, and say what would change.

    Args:
        repo: Such as ``owner/name``.
        card: The candidate's model card, which goes into README.md.
        results: By task, its ``.eval_results/<task>.yaml``.

    Raises:
        UsageError: There is no such repository for this token.
        DataError: A file of it cannot be read as what it should be.
        InfrastructureError: The Hub cannot be reached.
    """
    wanted = {f".eval_results/{task}.yaml": text for task, text in results.items()}
    api = _api()
    try:
        parent = api.model_info(repo).sha or ""
        there = {path: _text(api, repo, parent, path) for path in (README, *wanted)}
    except Exception as error:  # the library's errors of the network have changed between versions
        raise _refused(repo, error) from error
    try:
        wanted = {README: merged(there[README].decode(), card), **wanted}
        found = [FileChange(path, there[path].decode(), text) for path, text in wanted.items()]
    except ValueError as error:
        raise DataError(f"{repo}/{README}: {error}", fix="mend it on the Hub, then run the same command") from error
    return Push(repo, parent, tuple(one for one in found if one.before != one.after))


def send(push: Push) -> str:
    """Write the changes in one commit; returns its address.

    Raises:
        UsageError: There is no token, or it may not write there.
        InfrastructureError: The Hub cannot be reached, or the repository has changed since it was looked at.
    """
    from huggingface_hub import CommitOperationAdd  # noqa: PLC0415 - --help must not wait for it

    if not os.environ.get("HF_TOKEN"):
        raise UsageError("HF_TOKEN is not set", fix="set it to a token that may write to the repository")
    files = [CommitOperationAdd(one.path, one.after.encode()) for one in push.changes]
    try:
        done = _api().create_commit(push.repo, files, commit_message=_TITLE, parent_commit=push.parent)
    except Exception as error:  # as above
        raise _refused(push.repo, error) from error
    return str(done.commit_url)


def _api() -> HfApi:
    from huggingface_hub import HfApi  # noqa: PLC0415 - as above

    # Without a token: none, and not the one of a login that was meant for something else.
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN") or False)


def _text(api: HfApi, repo: str, revision: str, path: str) -> bytes:
    """A file of the repository; empty where there is none."""
    from huggingface_hub.errors import EntryNotFoundError  # noqa: PLC0415 - as above

    with TemporaryDirectory() as folder:
        try:
            found = api.hf_hub_download(repo, path, revision=revision, local_dir=folder)
        except EntryNotFoundError:
            return b""
        return Path(found).read_bytes()


def _refused(repo: str, error: Exception) -> EvalkitError:
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415 - as above

    if isinstance(error, HFValidationError):
        return UsageError(f"{repo!r} is no name of a repository", fix="write it like owner/name")
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status in {401, 403, 404}:
        return UsageError(f"{repo}: the Hub says {status}", fix="check the name, and that HF_TOKEN may write to it")
    if status == 412:
        return InfrastructureError(f"{repo}: has changed since it was looked at", fix="run the same command again")
    said = f"says {status}" if status else f"cannot be reached ({type(error).__name__})"
    return InfrastructureError(
        f"{repo}: the Hub {said}", fix="run the same command again; HF_ENDPOINT names another Hub"
    )
