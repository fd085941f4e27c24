import io
import json
from dataclasses import dataclass

import pytest
from PIL import Image as Pillow

from evalkit.base.errors import DataError, OutputError
from evalkit.base.types import Answer, Image, Sample, Text
from evalkit.comparison.flips import Flip, FlipList, FlipReply
from evalkit.runs import thumbnails
from support.rich_report import drawing


@dataclass
class Part:
    task: object


@dataclass
class Named:
    name: str


class Source:
    """Samples of one task with their bytes, which count how far they were read."""

    def __init__(self, task, samples, fails_after=None):
        self.part, self._samples, self._fails_after = Part(Named(task)), samples, fails_after
        self.read = 0

    def samples(self):
        for at, sample in enumerate(self._samples):
            if at == self._fails_after:
                raise DataError("the file is gone")
            self.read += 1
            yield sample, "request"


def sample(key, *pictures):
    return Sample(key, (*(Image.of(data) for data in pictures), Text("q")), ["a"])


def flip(one):
    stored = Sample(one.id, tuple(Image(b"", p.sha256) if isinstance(p, Image) else p for p in one.content), ["a"])
    reply = FlipReply(Answer("a", "stop", 1, 1, 0.1), {}, 1.0)
    return Flip("regressed", stored, reply, reply)


def listed(task, *samples):
    return FlipList(task, "cand", len(samples), 0, tuple(map(flip, samples)))


def digests(*samples):
    return [part.sha256 for one in samples for part in one.content if isinstance(part, Image)]


ONE, TWO, THREE = (sample(str(at), drawing(at)) for at in range(3))


def test_a_picture_is_kept_small_for_each_chosen_flip(tmp_path):
    thumbnails.keep(tmp_path, [listed("t", TWO)], [Source("t", [ONE, TWO, THREE])])
    found = thumbnails.read(tmp_path)
    assert list(found) == digests(TWO)
    with Pillow.open(io.BytesIO(found[digests(TWO)[0]])) as picture:
        assert picture.format == "WEBP"
        assert max(picture.size) == thumbnails.LONGEST_EDGE


def test_the_data_are_read_no_further_than_needed_and_not_at_all_the_second_time(tmp_path):
    first = Source("t", [ONE, TWO, THREE])
    thumbnails.keep(tmp_path, [listed("t", TWO)], [first])
    assert first.read == 2
    again = Source("t", [ONE, TWO, THREE])
    thumbnails.keep(tmp_path, [listed("t", TWO)], [again])
    assert again.read == 0


def test_the_budget_goes_to_the_first_flips_and_pictures_no_longer_wanted_go(tmp_path):
    source = [Source("t", [ONE, TWO, THREE])]
    thumbnails.keep(tmp_path, [listed("t", ONE, TWO, THREE)], source)
    sizes = {key: -(-len(data) // 3) * 4 for key, data in thumbnails.read(tmp_path).items()}
    assert len(sizes) == 3
    first, second, _ = digests(THREE, ONE, TWO)
    thumbnails.keep(tmp_path, [listed("t", THREE, ONE, TWO)], source, sizes[first] + sizes[second])
    assert set(thumbnails.read(tmp_path)) == {first, second}


def test_tasks_without_images_and_without_flips_write_nothing(tmp_path):
    thumbnails.keep(tmp_path / "x", [listed("t", sample("9")), listed("u")], [Source("t", [sample("9")])])
    assert not (tmp_path / "x").exists()
    assert thumbnails.read(tmp_path / "x") == {}


def test_a_damaged_image_and_missing_data_cost_their_own_pictures_only(tmp_path):
    broken = sample("broken", b"no image")
    lists = [listed("t", ONE, broken), listed("u", TWO, THREE)]
    thumbnails.keep(tmp_path, lists, [Source("t", [broken, ONE]), Source("u", [TWO, THREE], fails_after=1)])
    assert set(thumbnails.read(tmp_path)) == set(digests(ONE, TWO))


def test_transparent_and_turned_images_are_seen_as_meant(tmp_path):
    stream = io.BytesIO()
    clear = Pillow.new("RGBA", (60, 30), (0, 0, 0, 0))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    clear.save(stream, "PNG", exif=exif)
    one = sample("clear", stream.getvalue())
    thumbnails.keep(tmp_path, [listed("t", one)], [Source("t", [one])])
    with Pillow.open(io.BytesIO(thumbnails.read(tmp_path)[digests(one)[0]])) as picture:
        assert picture.size == (30, 60)
        assert min(picture.convert("RGB").getpixel((5, 5))) > 250


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        thumbnails.keep(tmp_path / "file", [listed("t", ONE)], [Source("t", [ONE])])


def test_a_broken_note_of_an_earlier_run_is_made_anew(tmp_path):
    (tmp_path / "wanted.json").write_text("{")
    thumbnails.keep(tmp_path, [listed("t", ONE)], [Source("t", [ONE])])
    assert json.loads((tmp_path / "wanted.json").read_text()) == digests(ONE)
