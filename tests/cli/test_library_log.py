"""Warnings of libraries go into a log."""

import logging
import warnings

from evalkit.cli.library_log import FILE, library_log


def test_warnings_and_loggers_write_to_the_log_and_not_to_standard_error(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with library_log(tmp_path):
            warnings.warn("Corrupt EXIF data", UserWarning, stacklevel=1)
            logging.getLogger("some.library").warning("slow tokenizer")
    assert capsys.readouterr().err == ""
    text = (tmp_path / FILE).read_text()
    assert "Corrupt EXIF data" in text
    assert "some.library WARNING slow tokenizer" in text


def test_a_log_that_cannot_be_written_is_no_fault(tmp_path, capsys):
    with library_log(tmp_path / "nowhere"):
        logging.getLogger("some.library").warning("lost")
    assert capsys.readouterr().err == ""
