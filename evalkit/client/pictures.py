"""Pictures as they stand in a request's body, each made once for all the questions about it."""

from __future__ import annotations

import threading
from binascii import b2a_base64
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from evalkit.base.types import Image
from evalkit.tasks import images

if TYPE_CHECKING:
    from evalkit.base.types import ImageHandling, Sample

_MOST_BYTES: Final = 128 * 2**20


class EncodedPictures:
    """Makes the part of a message that holds a picture, and keeps the last ones.

    Encoding a JPEG anew, as the published protocol does, costs more than everything else about a request, and a data
    set asks several questions about one picture. Any number of threads may ask; a picture that is being made is
    waited for.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """Keep parts of at most ``most_bytes`` together."""
        self._most = most_bytes
        self._kept: OrderedDict[tuple[str, ImageHandling], Future[bytes]] = OrderedDict()
        self._bytes = 0
        self._turn = threading.Lock()
        self._stored: WeakValueDictionary[str, Image] = WeakValueDictionary()

    def shared(self, sample: Sample) -> Sample:
        """The sample with the pictures of earlier ones where they are the same: questions that wait hold each once."""
        content = tuple(
            self._stored.setdefault(part.sha256, part) if isinstance(part, Image) else part for part in sample.content
        )
        return replace(sample, content=content)

    def part(self, picture: Image, handling: ImageHandling) -> bytes:
        """The JSON of an ``image_url`` part with the picture as a data URI.

        Raises:
            DataError: The picture cannot be read.
        """
        key = (picture.sha256, handling)
        with self._turn:
            mine = key not in self._kept
            made = self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
        if mine:
            self._make(picture, handling, made)
        return made.result()

    def _make(self, picture: Image, handling: ImageHandling, made: Future[bytes]) -> None:
        try:
            part = _part(picture.data, handling)
        except BaseException as error:
            with self._turn:
                del self._kept[picture.sha256, handling]
            made.set_exception(error)
            raise
        made.set_result(part)
        with self._turn:
            self._bytes += len(part)
            for key in [*self._kept]:
                if self._bytes <= self._most:
                    break
                if self._kept[key].done():
                    self._bytes -= len(self._kept.pop(key).result())


def _part(data: bytes, handling: ImageHandling) -> bytes:
    # Joined as bytes: a JSON writer would scan megabytes of base64 for characters to escape.
    kind, sent = images.sendable(data, handling)
    return b"".join(
        (
            b'{"type": "image_url", "image_url": {"url": "data:image/',
            kind.encode(),
            b";base64,",
            b2a_base64(sent, newline=False),
            b'"}}',
        ),
    )
