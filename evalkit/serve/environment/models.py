"""Identity of a model: the commit of a hub repository, or a digest of a local folder's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import requests

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.types import Model
from evalkit.serve.environment.files import folder_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.base.errors import EvalkitError

_HUB_PATIENCE_S: Final = 15.0
_ANSWER_S: Final = 4.0
"""For the hub to answer at all."""
_OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "EVALKIT_OFFLINE")
_TRUE: Final = {"1", "ON", "YES", "TRUE"}


def offline() -> bool:
    """Whether the user has said that the hub is not to be asked."""
    return any(os.environ.get(name, "").upper() in _TRUE for name in _OFFLINE)


def hub_fault() -> str:
    """Why the hub cannot be asked now; empty where it can. It has a few seconds: its own library tries for a minute."""
    if offline():
        return "not asked (HF_HUB_OFFLINE)"
    url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        status = requests.head(url, timeout=_ANSWER_S).status_code
    except requests.RequestException as error:
        return f"{url} cannot be reached ({type(error).__name__})"
    return f"{url} answers with HTTP {status}" if status >= 500 else ""


def model(source: str, label: str, revision: str | None = None, *, cache: Path | None = None) -> Model:
    """A model with its identity: the commit of a hub repository, or a digest of a local folder's files.

    Args:
        source: A local folder or a hub id; a folder wins when both exist.
        label: How reports and requests name the model.
        revision: Branch, tag or commit on the hub; ``main`` by default.
        cache: Where digests of large files are remembered; evalkit's cache folder by default.

    Raises:
        UsageError: There is no such model, or the hub is not to be asked and the local cache does not have it.
        InfrastructureError: The hub does not answer, and the local cache does not have it.
        DataError: The folder holds no model.
    """
    refuse_missing(source)
    if Path(source).is_dir():
        return Model(label, source, folder_digest(Path(source), cache))
    return Model(label, source, _commit(source, revision))


def downloaded(model: Model, tell: Callable[[str], None]) -> Path:
    """The folder of a model's files, all of them: its own, or its snapshot in the hub's cache.

    Args:
        model: Resolved by `model`.
        tell: Hears before files are fetched.

    Raises:
        InfrastructureError: The hub does not give them.
    """
    if Path(model.source).is_dir():
        return Path(model.source)
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - as below

    tell(f"fetching {model.source}")
    try:
        return Path(snapshot_download(model.source, revision=model.digest, local_files_only=offline()))
    except Exception as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise InfrastructureError(
            f"{model.source}: not fetched: {reason[0]}", fix="run again: what has arrived is kept; or name a folder"
        ) from error


def refuse_missing(source: str) -> None:
    """Refuse what can only be a folder and is not there; the hub is not asked.

    Raises:
        UsageError: So it is.
    """
    if not Path(source).is_dir() and (source.startswith(("/", "./", "../", "~")) or source.count("/") > 1):
        raise UsageError(
            f"{source}: there is no such folder", fix="check the path; a model on the hub is named owner/name"
        )


def _commit(name: str, revision: str | None) -> str:
    """The commit that a revision of a hub repository stands for now."""
    # Imported here: the hub's library takes longer to load than evalkit has for --help.
    from huggingface_hub import HfApi, constants  # noqa: PLC0415
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = revision or "main"
    if offline():
        return _cached_commit(Path(constants.HF_HUB_CACHE), name, wanted, "the hub is not asked (HF_HUB_OFFLINE)")
    hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        found = hub.model_info(name, revision=wanted, timeout=_HUB_PATIENCE_S)
        if found.gated:
            hub.auth_check(name)
    except GatedRepoError as error:
        raise UsageError(
            f"{name} is gated: its owner has not let this account in, or no token is set",
            fix="accept the terms on the model's page, then set HF_TOKEN or run `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{name} has no revision '{wanted}'", fix="name a branch, tag or commit of it") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"{name}: there is no such folder here and no such model on the hub",
            fix="check the spelling; a private model needs a token that may read it (HF_TOKEN or `hf auth login`)",
        ) from error
    except Exception as error:  # the hub's library has changed its network errors between versions
        if getattr(getattr(error, "response", None), "status_code", None) in {401, 403}:
            raise UsageError(
                f"{name}: the hub does not take the token that is set", fix="set another one in HF_TOKEN, or none"
            ) from error
        reason = f"the hub cannot be reached ({type(error).__name__})"
        # A name without an owner is rather a folder's, in which only the user can mend a slip.
        kind = InfrastructureError if "/" in name else UsageError
        return _cached_commit(Path(constants.HF_HUB_CACHE), name, wanted, reason, kind)
    return str(found.sha)


def _cached_commit(cache: Path, name: str, revision: str, reason: str, kind: type[EvalkitError] = UsageError) -> str:
    """The commit in the hub's local cache, when its files are there."""
    folder = cache / f"models--{name.replace('/', '--')}"
    try:
        commit = (folder / "refs" / revision).read_text(encoding="utf-8").strip()
    except OSError:
        commit = revision
    if (folder / "snapshots" / commit / "config.json").is_file():
        return commit
    raise kind(
        f"{name}: there is no such folder, {reason}, and the local cache does not have revision '{revision}' of it",
        fix=f"name a local folder, or download the model while online: hf download {name}",
    )
