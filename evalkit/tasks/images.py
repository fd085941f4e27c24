"""What is sent for a stored image: its own bytes, or what the published protocol makes of them.

The published programs open every image with Pillow and save it again in its own format at default settings. That
changes the pixels of a JPEG (quality 75) and of a WEBP, and nothing of a PNG, GIF or BMP, so those are sent as
stored: the pixels are the same and a page costs no encoding. An image with an EXIF orientation is turned upright
on loading there, and what has been turned is saved as PNG.

Nothing here decodes an image before it has to: `encoder` and `weight` read headers only.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import PIL
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from evalkit.base.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import ImageHandling

_Way: TypeAlias = Literal["stored", "saved again", "upright"]

_FORMATS: Final = (
    "AVIF", "BLP", "BMP", "CUR", "DCX", "DDS", "DIB", "FITS", "FLI", "FTEX",
    "GBR", "GIF", "ICNS", "ICO", "IM", "IMT", "IPTC", "JPEG", "JPEG2000", "MCIDAS",
    "MSP", "PCD", "PCX", "PIXAR", "PNG", "PPM", "PSD", "QOI", "SGI", "SPIDER",
    "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM", "XVTHUMB",
)  # fmt: skip
"""What vLLM 0.32 opens. Pillow knows more: stubs, and formats for which it would start another program (EPS)."""
_USUAL: Final = "JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, JPEG 2000 or another one that vLLM reads"

_LOSSLESS = frozenset({"PNG", "GIF", "BMP"})
_LOSSY_TIFF = frozenset({"jpeg", "tiff_jpeg", "webp"})
"""Compressions that Pillow keeps when it saves a TIFF again, and that lose something each time."""

_MOST_PIXELS = 178_956_970
"""Where Pillow refuses a decompression bomb, and vLLM too (``VLLM_MAX_IMAGE_PIXELS``): half a GiB decoded to RGB."""

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's readers and writers raise for damaged files, depending on where the damage is."""


def sendable(data: bytes, handling: ImageHandling) -> tuple[str, bytes]:
    """The format name for ``data:image/<name>``, in small letters, and the bytes to send.

    Args:
        data: An image as the data set stores it.
        handling: ``reencode`` for what the published protocol sends, ``original`` for the stored bytes.

    Raises:
        DataError: The bytes are no image of a format that servers read, are damaged, or hold too many pixels.
    """
    with _read(data) as image:
        way = _way(image, data, handling)
        name = image.format or "PNG"
        if way == "stored":
            return name.lower(), data
        image.load()
        picture: Image.Image = image
        if way == "upright":
            picture, name = ImageOps.exif_transpose(image), "PNG"
        saved = BytesIO()
        _save(picture, saved, name)
        return name.lower(), saved.getvalue()


def png(data: bytes) -> bytes:
    """A PNG of the pixels, for a program that does not know the stored format.

    Raises:
        DataError: As for `sendable`.
    """
    with _read(data) as image:
        saved = BytesIO()
        image.convert("RGB").save(saved, format="PNG")
        return saved.getvalue()


def encoder(data: bytes, handling: ImageHandling) -> str:
    """What would make the bytes that `sendable` returns: ``stored``, or Pillow's version and the format.

    It stands in a request's identity, so that an answer to other pixels is never taken for this one's.

    Raises:
        DataError: As for `sendable`, as far as the header tells.
    """
    with _read(data) as image:
        way = _way(image, data, handling)
        if way == "stored":
            return way
        name = "png-upright" if way == "upright" else (image.format or "PNG").lower()
        return f"pillow-{PIL.__version__}-{name}"


def weight(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header.

    Raises:
        DataError: As for `sendable`, as far as the header tells.
    """
    with _read(data) as image:
        return image.size


def small(data: bytes, longest_edge: int) -> bytes:
    """A WEBP of an image for people to look at, upright, on white where it is transparent.

    Raises:
        DataError: As for `sendable`.
    """
    with _read(data) as image:
        # A JPEG is decoded at a fraction of its size where that is enough.
        image.draft("RGB", (longest_edge, longest_edge))
        upright = ImageOps.exif_transpose(image).convert("RGBA")
        upright.thumbnail((longest_edge, longest_edge))
        ground = Image.new("RGB", upright.size, "white")
        ground.paste(upright, mask=upright.getchannel("A"))
        saved = BytesIO()
        ground.save(saved, format="WEBP", quality=70, method=4)
        return saved.getvalue()


def _save(picture: Image.Image, saved: BytesIO, name: str) -> None:
    """Save as the published program does, in the format that the picture came in.

    Raises:
        DataError: Pillow only reads that format: the published program fails at such a picture.
    """
    if name not in Image.SAVE:
        raise DataError(
            f"image of format {name}: the published protocol saves pictures again, and Pillow cannot write this one",
            fix="send it as stored with --images original, or convert it",
        )
    picture.save(saved, format=name)


@cache
def _opened() -> tuple[str, ...]:
    """The formats that the installed Pillow knows; older ones lack some."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def _read(data: bytes) -> Iterator[Image.Image]:
    """The image with its header read; whatever goes wrong with it becomes a DataError."""
    try:
        image = Image.open(BytesIO(data), formats=_opened())
        width, height = image.size
        if width * height > _MOST_PIXELS:
            raise DataError(
                f"image of {width} x {height} pixels is too large to open safely",
                fix=f"scale it down to at most {_MOST_PIXELS} pixels",
            )
        yield image
    except _BROKEN as error:
        # Pillow's own words for this one hold an address in memory, which would differ from run to run.
        unknown = isinstance(error, PIL.UnidentifiedImageError)
        reason = "no known format" if unknown else f"{type(error).__name__}: {error}"
        raise DataError(
            f"unreadable image of {len(data)} bytes: {reason}",
            fix=f"replace it with a whole file in a usual format: {_USUAL}",
        ) from error


def _way(image: Image.Image, data: bytes, handling: ImageHandling) -> _Way:
    if handling == "original":
        return "stored"
    if image.format == "TIFF":
        # Pillow turns a TIFF upright by itself while loading, at both ends of the line.
        return "saved again" if image.info.get("compression") in _LOSSY_TIFF else "stored"
    if image.format == "PNG" and not _may_be_turned(data):
        return "stored"
    if image.getexif().get(Base.Orientation) is not None:
        return "upright"
    return "stored" if image.format in _LOSSLESS else "saved again"


def _may_be_turned(png: bytes) -> bool:
    """Whether a PNG has a chunk that can hold an orientation.

    Pillow must decode a PNG to the end before it can say: such a chunk may stand behind the pixels. Walking over
    the chunks' headers costs next to nothing.
    """
    position = len(b"\x89PNG\r\n\x1a\n")
    while position + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        if kind == b"eXIf" or png.startswith((b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"), position + 8):
            return True
        position += 12 + length
    return False
