"""The two models of the demo that the package holds: the trained baseline and its W8A8 quantization."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from evalkit.base.errors import InfrastructureError

MODELS = Path(__file__).parent / "models"
"""Where the package holds the trained pair."""
BASELINE, QUANTIZED, SUMS = "baseline", "w8a8", "SHA256SUMS"
"""Names of the two folders and of the list of checksums in `MODELS`."""


def trained(models: Path = MODELS) -> tuple[Path, Path]:
    """Folders of the trained baseline and of its W8A8 quantization, whole and unchanged.

    Args:
        models: Folder that holds both, with their checksums.

    Raises:
        InfrastructureError: A file is missing or is not the one that was packed.
    """
    if not (models / SUMS).is_file():
        raise InfrastructureError("the trained pair is not in this installation", fix="install evalkit again")
    for line in (models / SUMS).read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        if not (models / name).is_file() or digest(models / name) != expected:
            raise InfrastructureError(f"the trained pair: {name} is missing or damaged", fix="install evalkit again")
    return models / BASELINE, models / QUANTIZED


def digest(file: Path) -> str:
    """The file's sha256, in hexadecimal."""
    return sha256(file.read_bytes()).hexdigest()
