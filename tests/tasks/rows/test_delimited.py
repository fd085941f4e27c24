"""CSV and TSV as rows: what is read, and one line for what cannot be."""

from base64 import b64encode

import pytest

from evalkit.base.errors import DataError
from evalkit.base.types import Dataset
from evalkit.tasks.rows import open_rows
from support.hubs import DOCS

OWN = Dataset(id="", split="validation", files=("x.csv",))
PICTURE = b"\x89PNG not looked at here"
ADDRESS = f"data:image/png;base64,{b64encode(PICTURE).decode()}"


def rows(path):
    return list(open_rows(OWN, benchmark=DOCS, data=path, base=path.parent))


def test_cells_are_texts_and_empty_ones_are_null(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(f'\ufeffquestion,answers,image\r\n"What, ""this""\nis?",a,"{ADDRESS}"\r\n,b,\r\n'.encode())
    first, second = rows(path)
    assert (first["question"], first["answers"], first["image"]["bytes"]) == ('What, "this"\nis?', "a", PICTURE)
    assert (second["question"], second["image"]) == (None, None)
    tabs = tmp_path / "x.tsv"
    tabs.write_text(f"question\tanswers\timage\nQ, x?\ta\t{ADDRESS}\n")
    assert rows(tabs)[0]["question"] == "Q, x?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("question,answers,image\na,b\n", "x.csv:2: 2 cells under 3 columns"),
        ("question,answers,answers\na,b,c\n", "x.csv:1: two columns have one name"),
        ('question,answers,image\n"a,b,c\n', "x.csv:2: not CSV"),
        ("question,answer\na,b\n", "x.csv:2: column image, answers is missing"),
        ("question,answers,image\na,b,no.png\n", "x.csv:2: image: image 'no.png' is not there"),
        ("question,answers,image\na,b,../../../etc/passwd\n", "is outside the folder of the data"),
        ("question,answers,image\n", "x.csv: no rows"),
        ("", "x.csv: no rows"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path, text, said):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        rows(path)
    assert said in caught.value.message
