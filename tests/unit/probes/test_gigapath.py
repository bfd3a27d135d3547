"""What a right answer of Prov-GigaPath is, and each way in which one can be wrong."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.probes import WrongAnswer, gigapath
from tests.unit.probes import given as shared
from tests.unit.probes.given import answer_of_the_stand_in, template

PROBE = {"type": "gigapath", "image": "probe/tile.png", "text": None, "status": 200}
FOLDER = template("gigapath")


def archive(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in parts.items():
            file.writestr(f"archive/{name.replace('_', '/', 1) if name != 'pkl' else 'data.pkl'}", content)
    return out.getvalue()


GOOD = archive(pkl=b"\x80\x02.", data_0=b"\0\0\x80?" * 4, version=b"3\n")


def answered(content):
    return json.dumps([{"image_features": base64.b64encode(content).decode()}]).encode()


def checked(body):
    return gigapath.check(PROBE, FOLDER, 200, body)


def test_the_request_is_one_row_of_an_image():
    """The tile travels as it is, in base64."""
    body = json.loads(gigapath.request(PROBE, FOLDER))
    assert body["input_data"]["columns"] == ["image"]
    assert base64.b64decode(body["input_data"]["data"][0][0]) == (FOLDER / "probe/tile.png").read_bytes()


def test_an_image_that_is_not_png_is_refused_before_sending():
    """A wrong sample is the file's fault."""
    with pytest.raises(DeployError, match=r"is not a PNG image"):
        gigapath.request({**PROBE, "image": "pipeline.yml.j2"}, FOLDER)


def test_the_stand_ins_answer_is_right():
    """Request, stand-in and check fit together."""
    seen = checked(answer_of_the_stand_in(PROBE, "Prov-GigaPath"))
    assert seen.summary == "a torch archive with 6144 bytes of numbers (1536 if float32)"
    assert seen.data["storages"] == 1
    assert "archive/data.pkl" in seen.data["entries"]
    assert list(seen.files) == ["tile-features.pt"]


def test_a_bare_object_is_accepted():
    """Some versions send no list around the row; line breaks in base64 are allowed."""
    text = base64.encodebytes(GOOD).decode()
    assert checked(json.dumps({"image_features": text}).encode()) == checked(answered(GOOD))


DAMAGE = {
    "not JSON": (b"oops", r"expected JSON, got something else"),
    "two rows": (b"[{}, {}]", r"expected one object for the one row sent, got 2"),
    "other key": (b'[{"features": ""}]', r"expected the key 'image_features' .* got only 'features'"),
    "a list of numbers": (b'[{"image_features": [1, 2]}]', r"expected base64 text in 'image_features', got a list"),
    "not base64": (b'[{"image_features": "%"}]', r"expected base64 text in 'image_features', got '%'"),
    "empty": (answered(b""), r"expected a zip archive as torch.save writes in 'image_features', got nothing"),
    "raw floats": (answered(b"\0\0\x80?"), r"torch.save writes in 'image_features', got a beginning of 00 00 80 3f"),
    "cut off": (answered(GOOD[:-40]), r"expected a whole zip archive in 'image_features', got a broken one"),
    "a byte changed": (answered(GOOD.replace(b"\x80?", b"\x80@", 1)), r"got a broken one \(Bad CRC-32"),
    "other archive": (answered(archive(notes=b"hello")), r"expected the entry data.pkl .* got 'archive/notes'"),
    "no storage": (answered(archive(pkl=b"\x80\x02.")), r"expected numbers .* got no storage"),
    "zeros": (
        answered(archive(pkl=b"\x80\x02.", data_0=bytes(64))),
        r"a tensor with values other than zero .* 64 zero bytes",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_message(name):
    """The reason contains what was expected and what the answer contains."""
    body, words = DAMAGE[name]
    with pytest.raises(WrongAnswer, match=words):
        checked(body)


def test_an_archive_that_unpacks_into_all_of_memory_is_refused():
    """The size is known from the archive's own list before anything is unpacked."""
    big = io.BytesIO()
    with zipfile.ZipFile(big, "w", zipfile.ZIP_DEFLATED) as file, file.open("archive/data.pkl", "w") as part:
        for _ in range(257):
            part.write(bytes(1024 * 1024))
    with pytest.raises(WrongAnswer, match=r"one tile's numbers in 'image_features', got an archive of 269484032 bytes"):
        checked(answered(big.getvalue()))


def test_another_status_is_wrong_whatever_the_body():
    """A right body with a wrong status is a wrong answer."""
    with pytest.raises(WrongAnswer, match="expected HTTP status 200, got 500"):
        gigapath.check(PROBE, FOLDER, 500, answered(GOOD))


@given(shared.bodies("image_features"))
def test_no_answer_raises_anything_but_wrong_answer(body):
    """Any response raises nothing but WrongAnswer."""
    with pytest.raises(WrongAnswer):
        checked(body)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(4, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_archive_is_accepted_or_refused(changes):
    """Change bytes of an archive anywhere: there is an answer or a WrongAnswer."""
    damaged = bytearray(GOOD)
    for place, value in changes:
        damaged[place] = value
    with suppress(WrongAnswer):
        assert checked(answered(bytes(damaged))).data["storage_bytes"]
