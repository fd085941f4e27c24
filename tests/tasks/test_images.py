from __future__ import annotations

import re
import struct
import zlib
from ast import literal_eval
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps

from evalkit.base.errors import DataError
from evalkit.tasks import images
from support import wants

ORIENTATION = 0x112


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 24)) -> Image.Image:
    """Noise over a gradient: every lossy encoder changes it, and no turn of it equals another."""
    noise = Image.effect_noise(size, 80)
    ramp = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", [noise, ramp, ImageChops.add(noise, ramp)]).convert(mode)


def stored(form: str, mode: str = "RGB", turned: int | None = None, **how) -> bytes:
    if turned is not None:
        how["exif"] = Image.Exif()
        how["exif"][ORIENTATION] = turned
    data = BytesIO()
    picture(mode).save(data, format=form, **how)
    return data.getvalue()


def published(data: bytes) -> tuple[str, bytes]:
    """The protocol, step by step: decode, turn upright when EXIF says anything, save in the format at hand."""
    image = Image.open(BytesIO(data))
    image.load()
    if image.getexif().get(ORIENTATION) is not None:
        image = ImageOps.exif_transpose(image)
    form = image.format or "PNG"
    saved = BytesIO()
    image.save(saved, format=form)
    return form.lower(), saved.getvalue()


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    image = Image.open(BytesIO(data)).convert("RGBA")
    return image.size, image.tobytes()


KEPT = {
    "png": stored("PNG"),
    "png with palette": stored("PNG", "P"),
    "png with alpha": stored("PNG", "RGBA"),
    "png grey": stored("PNG", "L"),
    "png one bit": stored("PNG", "1"),
    "gif": stored("GIF", "P"),
    "gif of two": stored("GIF", "P", save_all=True, append_images=[picture("P").rotate(90)]),
    "bmp": stored("BMP"),
    "tiff": stored("TIFF"),
    "tiff packed": stored("TIFF", compression="tiff_lzw"),
    "tiff turned": stored("TIFF", turned=6),
}
SAVED_AGAIN = {
    "jpeg": stored("JPEG", quality=97),
    "jpeg grey": stored("JPEG", "L", quality=97),
    "jpeg cmyk": stored("JPEG", "CMYK", quality=97),
    "jpeg progressive": stored("JPEG", progressive=True, quality=97),
    "jpeg with comment": stored("JPEG", comment="made by hand", quality=97),
    "webp": stored("WEBP", quality=97),
    "webp lossless": stored("WEBP", lossless=True),
    "tiff of jpeg": stored("TIFF", compression="jpeg"),
    "phone picture": stored("MPO", save_all=True, append_images=[picture()], quality=97),
}
OTHER = {
    "avif": stored("AVIF"),
    "jpeg 2000": stored("JPEG2000"),
    "icon": stored("ICO", "RGBA"),
    "netpbm": stored("PPM"),
    "netpbm grey": stored("PPM", "L"),
    "targa": stored("TGA"),
    "paintbrush": stored("PCX"),
    "dib": stored("DIB"),
    "dds": stored("DDS"),
    "sgi": stored("SGI"),
}
TURNED = {f"{form.lower()} {turn}": stored(form, turned=turn) for form in ("JPEG", "PNG") for turn in (1, 3, 6)} | {
    "webp 8": stored("WEBP", turned=8),
    "phone picture 6": stored("MPO", turned=6, save_all=True, append_images=[picture()]),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_saving_again_cannot_change_is_sent_as_stored(name):
    data = KEPT[name]
    kind, sent = images.sendable(data, "reencode")
    assert sent is data
    assert kind == published(data)[0]
    assert pixels(sent)[1] == pixels(published(data)[1])[1]
    assert images.encoder(data, "reencode") == "stored"


@pytest.mark.parametrize("name", SAVED_AGAIN)
def test_what_saving_again_changes_is_sent_as_the_protocol_saves_it(name):
    data = SAVED_AGAIN[name]
    sent = images.sendable(data, "reencode")
    assert sent == published(data)
    assert pixels(sent[1]) != pixels(data)
    assert images.encoder(data, "reencode") == f"pillow-{PIL.__version__}-{sent[0]}"


@pytest.mark.parametrize("name", OTHER)
def test_every_format_that_the_protocol_and_vllm_read_is_sent_as_the_protocol_saves_it(name):
    data = OTHER[name]
    assert images.sendable(data, "reencode") == published(data)
    assert images.sendable(data, "original") == (published(data)[0], data)
    assert images.encoder(data, "reencode") == f"pillow-{PIL.__version__}-{published(data)[0]}"
    assert min(images.weight(data)) > 0
    assert Image.open(BytesIO(images.png(data))).format == "PNG"
    assert images.small(data, 16)


def test_the_formats_are_those_of_vllm():
    # Read, not imported: that would take longer than all tests of this file.
    package = find_spec("vllm") or wants.missing("vllm")
    source = Path(*package.submodule_search_locations, "multimodal/image.py").read_text(encoding="utf-8")
    (formats,) = re.findall(
        r"^ALLOWED_IMAGE_FORMATS: tuple\[str, \.\.\.\] = (\(.*?\n\))", source, re.MULTILINE | re.DOTALL
    )
    assert tuple(images._FORMATS) == literal_eval(formats)


def test_what_the_protocol_cannot_save_again_is_refused_with_a_way_out():
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 4, 4, 8, 3) + bytes(4) + bytes(4) + bytes(4)
    photoshop = header + bytes(2) + bytes(48)
    assert images.sendable(photoshop, "original") == ("psd", photoshop)
    with pytest.raises(DataError, match="format PSD: the published protocol") as caught:
        images.sendable(photoshop, "reencode")
    assert "--images original" in caught.value.fix


def sized(width: int, height: int) -> bytes:
    """The beginning of a PNG of this size."""
    data = bytearray(stored("PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_as_many_pixels_as_vllm_takes():
    assert images.weight(sized(9_500, 9_500)) == (9_500, 9_500)
    assert images.weight(sized(178_956_970, 1)) == (178_956_970, 1)
    with pytest.raises(DataError, match="pixels"):
        images.weight(sized(178_956_971, 1))


def test_a_jpeg_is_saved_at_quality_75():
    saved = BytesIO()
    Image.open(BytesIO(SAVED_AGAIN["jpeg"])).save(saved, format="JPEG", quality=75)
    assert images.sendable(SAVED_AGAIN["jpeg"], "reencode") == ("jpeg", saved.getvalue())


@pytest.mark.parametrize("name", TURNED)
def test_what_exif_turns_is_sent_upright_as_png(name):
    kind, sent = images.sendable(TURNED[name], "reencode")
    assert kind == published(TURNED[name])[0] == "png"
    assert pixels(sent) == pixels(published(TURNED[name])[1])
    assert images.encoder(TURNED[name], "reencode") == f"pillow-{PIL.__version__}-png-upright"


def test_an_orientation_behind_the_pixels_of_a_png_is_found():
    plain = stored("PNG")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    body = b"eXIf" + exif.tobytes()[6:]
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    late = plain[:-12] + chunk + plain[-12:]
    assert images.sendable(late, "reencode")[1] != late
    assert pixels(images.sendable(late, "reencode")[1]) == pixels(published(late)[1])


def test_a_png_with_other_exif_is_sent_as_stored():
    exif = Image.Exif()
    exif[0x131] = "a scanner"
    data = BytesIO()
    picture().save(data, format="PNG", exif=exif)
    assert images.sendable(data.getvalue(), "reencode") == ("png", data.getvalue())


@pytest.mark.parametrize("name", [*KEPT, *SAVED_AGAIN, *TURNED])
def test_original_sends_the_stored_bytes_of_everything(name):
    data = (KEPT | SAVED_AGAIN | TURNED)[name]
    kind, sent = images.sendable(data, "original")
    assert sent is data
    assert kind == Image.open(BytesIO(data)).format.lower()
    assert images.encoder(data, "original") == "stored"


def test_weight_is_width_and_height():
    assert images.weight(KEPT["png"]) == (40, 24)
    assert images.weight(SAVED_AGAIN["jpeg"]) == (40, 24)


@pytest.mark.parametrize("data", [b"", b"not an image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_for_a_server_is_refused(data):
    for ask in (images.weight, lambda data: images.sendable(data, "original")):
        with pytest.raises(DataError, match=r"unreadable image of \d+ bytes: no known format") as caught:
            ask(data)
        assert "JPEG, PNG" in caught.value.fix


def test_a_cut_jpeg_is_refused_when_its_pixels_are_needed():
    data = SAVED_AGAIN["jpeg"][:-200]
    assert images.weight(data) == (40, 24)
    with pytest.raises(DataError, match="truncated"):
        images.sendable(data, "reencode")


def test_a_turned_cmyk_image_that_the_protocol_cannot_save_is_refused():
    with pytest.raises(DataError, match="cannot write mode CMYK as PNG"):
        images.sendable(stored("JPEG", "CMYK", turned=6), "reencode")


@pytest.mark.parametrize("side", [13_500, 65_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused_unopened(side):
    bomb = sized(side, side)
    for ask in (images.weight, lambda data: images.encoder(data, "original")):
        with pytest.raises(DataError, match="pixels"):
            ask(bomb)


damage = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8)


@settings(max_examples=150)
@given(
    st.sampled_from([*SAVED_AGAIN.values(), *OTHER.values(), *TURNED.values(), *KEPT.values()]),
    damage,
    st.floats(0.1, 1),
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_image_is_sent_or_refused_but_never_a_crash(data, places, length):
    broken = bytearray(data[: int(len(data) * length)])
    for place, value in places:
        broken[int(place * len(broken))] = value
    try:
        kind, sent = images.sendable(bytes(broken), "reencode")
    except DataError as error:
        kind, sent = error.message, b"refused"
    assert kind
    assert sent
