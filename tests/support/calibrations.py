"""Rows that a model is calibrated on."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(colour):
    """A small picture as a data set stores it."""
    data = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(data, "PNG")
    return {"bytes": data.getvalue(), "path": None}


def parquet(path, rows):
    """A file of rows."""
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path
