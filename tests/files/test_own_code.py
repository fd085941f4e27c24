"""The state of the code at work: by what its files say."""

import os

from evalkit.files import own_code


def test_another_line_of_the_same_length_and_time_is_another_state(tmp_path):
    file = tmp_path / "draw.py"
    states = []
    for line in ("SEED = 1\n", "SEED = 2\n", "SEED = 1\n"):
        file.write_text(line)
        os.utime(file, (1, 1))
        states.append(own_code.of(tmp_path))
    assert states[0] == states[2] != states[1]


def test_when_a_file_was_written_is_no_part_of_it(tmp_path):
    file = tmp_path / "draw.py"
    file.write_text("SEED = 1\n")
    before = own_code.of(tmp_path)
    os.utime(file, (1, 1))
    assert own_code.of(tmp_path) == before
