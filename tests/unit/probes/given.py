"""What the tests of the judges share: the templates' folders, the stand-ins' answers, and small volumes."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
from hypothesis import strategies as st

from deploy import probes
from deploy.emulator.runtime import standins
from tests.project import ROOT

TYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}
WITHOUT_PICTURES = (
    "import sys; sys.modules.update(numpy=None, PIL=None); from pathlib import Path; from deploy import probes;"
    f"probe = __import__('json').loads(sys.argv[1]); folder = Path({str(ROOT)!r}) / 'templates' / probe['type'];"
    "seen = probes.find(probe['type']).check(probe, folder, 200, Path('answer').read_bytes());"
    "print(seen.summary, seen.data['no_picture'], sep=chr(10))"
)
"""Checks the file `answer` on a machine without numpy and pillow."""


def template(name):
    return ROOT / "templates" / name


def answer_of_the_stand_in(probe, model):
    """Body of the stand-in's answer to the probe's own request."""
    request = json.loads(probes.find(probe["type"]).request(probe, template(probe["type"])))
    return json.dumps(standins.find(f"azureml://registries/azureml/models/{model}/versions/1")(request)).encode()


def nifti(values, order="<", affine=None, packed=True, scale=(0, 0), change=None, spacing=(1, 1, 1)):
    """A NIfTI-1 file written here by its published layout; `change` is {byte: bytes} to damage the header."""
    header = bytearray(352)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, 3, *values.shape, 1, 1, 1, 1)
    struct.pack_into(order + "2h", header, 70, TYPES[values.dtype.str[1:]], 8 * values.dtype.itemsize)
    struct.pack_into(order + "4f", header, 76, 1, *spacing)
    struct.pack_into(order + "3f", header, 108, 352, *scale)
    header[344:348] = b"n+1\0"
    if affine is not None:
        struct.pack_into(order + "h", header, 254, 1)
        struct.pack_into(order + "12f", header, 280, *np.asarray(affine, float).ravel())
    for at, content in (change or {}).items():
        header[at : at + len(content)] = content
    content = bytes(header) + values.astype(values.dtype.newbyteorder(order)).tobytes(order="F")
    return gzip.compress(content, 1, mtime=0) if packed else content


def bodies(*keys):
    """Bodies that an endpoint might send: noise, and JSON that uses the right words."""
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=3),
        max_leaves=10,
    )
    return st.binary(max_size=100) | value.map(lambda one: json.dumps(one).encode())
