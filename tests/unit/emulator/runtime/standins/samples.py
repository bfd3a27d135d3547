"""Requests and images for the tests of the stand-ins."""

from __future__ import annotations

import base64
import io

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.project import ROOT


def sample(path):
    """A template's sample in base64."""
    return base64.b64encode((ROOT / "templates" / path).read_bytes()).decode()


def encoded(pixels):
    """A grey or RGB array as PNG in base64."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def request(columns, *rows, **more):
    table = {"columns": list(columns), "index": list(range(len(rows))), "data": [list(row) for row in rows]}
    return {"input_data": table, **more}


def nearly(columns):
    """Any JSON, and valid tables with any values."""
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["input_data", "columns", "data", "index", "image"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
    row = st.tuples(*[value.filter(lambda each: each not in (None, ""))] * len(columns))
    return value | row.map(lambda cells: request(columns, cells))
