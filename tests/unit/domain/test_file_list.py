"""Lists of files in tags: read as they were written, within Azure's limits, and compared file by file."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.domain import file_list
from deploy.domain.digests import digest
from deploy.domain.file_list import changed, in_words, listed, read_tags, rolled_up, tags_of

PARTS = st.lists(st.sampled_from(["src", "a", "b", "vendor", "é", "x.py", "with space"]), min_size=1, max_size=4)
PATHS = PARTS.map(lambda parts: "/".join(["code", *parts, "file.py"]))
FILES = st.dictionaries(PATHS, st.sampled_from(["0a1b2c", "ffffff", "123456"]), max_size=12)


def many(count: int, *, folder: str = "code/vendor{}/deep") -> dict[str, str]:
    """So many files, in folders of nine, that do not compress well."""
    return {f"{folder.format(n // 9)}/{digest(n, 8)}.py": digest(n, 6) for n in range(count)}


def body(tags: dict[str, str]) -> dict[str, Any]:
    return {"tags": {"team": "imaging", **{name.upper(): value for name, value in tags.items()}}}


@given(FILES)
def test_a_list_is_read_as_it_was_written(files: dict[str, str]) -> None:
    """Whatever the case of the tags' names, among other tags."""
    assert read_tags(body(tags_of(files))) == files


@settings(max_examples=10, deadline=None)
@given(FILES, st.integers(0, 400), st.sampled_from(["code/vendor{}/deep", "code", "model/{}"]))
def test_a_long_list_fits_and_says_what_changed(files: dict[str, str], count: int, folder: str) -> None:
    """At most four tags of 256 characters; a change anywhere is still told, of the file or of a folder above it."""
    whole = {**many(count, folder=folder), **files, "code/score.py": "000000"}
    tags = tags_of(whole)
    assert len(tags) <= 4
    assert all(0 < len(value) <= 256 for value in tags.values())
    before = read_tags(body(tags))
    assert before is not None
    assert before == rolled_up(whole, [path for path in before if path.endswith("/")])
    assert changed(before, whole) == []
    for path in (min(whole), max(whole)):
        ((where, what),) = changed(before, {**whole, path: "dddddd"})
        assert path.startswith(where)
        assert what == "changed"


def test_only_as_much_as_must_is_rolled_up() -> None:
    """Files that are not in the deepest folders stay, and so do some of the folders."""
    whole = {**many(90), "code/score.py": "000000"}
    found = read_tags(body(tags_of(whole)))
    assert found is not None
    assert found["code/score.py"] == "000000"
    folders = [path for path in found if path.endswith("/")]
    assert 0 < len(folders) < 10
    assert all(path.endswith("/deep/") for path in folders)


@given(FILES, FILES)
def test_two_lists_differ_where_their_files_do(one: dict[str, str], other: dict[str, str]) -> None:
    """Added, changed, removed; nothing where they are equal."""
    found = dict(changed(one, other))
    assert {path for path, what in found.items() if what == "added"} == other.keys() - one.keys()
    assert {path for path, what in found.items() if what == "removed"} == one.keys() - other.keys()
    assert {p for p, what in found.items() if what == "changed"} == {
        p for p in one.keys() & other if one[p] != other[p]
    }
    assert (in_words(one, other) == "") == (one == other)


def test_the_words() -> None:
    """The first three by name, the rest by number."""
    before = {"code/a.py": "1", "code/old.py": "1", "model/m.bin": "1", "model/n.bin": "1"}
    now = {"code/a.py": "2", "code/new.py": "1"}
    assert in_words(before, now) == "files: code/a.py changed, code/new.py added, code/old.py removed (+2 more)"
    assert in_words({"code/vendor/": "1"}, {"code/vendor/x": "1"}) == "files: code/vendor/ changed"
    assert in_words({"code/vendor/": "1"}, {}) == "files: code/vendor/ removed"
    assert in_words(None, now) == "files (not recorded)"
    assert in_words(None, {}) == ""
    assert in_words({}, now) == "files: code/a.py added, code/new.py added"


def test_parts_are_told_apart() -> None:
    """By what they are of the deployment, whatever the folder is called."""
    trees = {
        "code_configuration.code": ("src", (("score.py", "x"), ("a\tb/c\nd.py", "x"))),
        "model.path": ("weights.bin", (("", "x"),)),
        "environment.conda_file": ("conda.yml", (("", "y"),)),
        "environment.build.path": ("docker", (("Dockerfile", "z"),)),
    }
    assert sorted(listed(trees)) == [
        "code/a b/c d.py", "code/score.py", "environment/Dockerfile", "environment/conda.yml", "model/weights.bin",
    ]  # fmt: skip


def packed(raw: bytes) -> dict[str, str]:
    text = base64.urlsafe_b64encode(zlib.compress(raw)).decode().rstrip("=")
    return dict(zip(file_list.TAGS, [text[at : at + 256] for at in range(0, len(text), 256)], strict=False))


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"amldeploy-files-1": ""},
        {"amldeploy-files-1": "not base64!"},
        {"amldeploy-files-1": "AAAA"},
        {"amldeploy-files-2": tags_of({"code/a": "1"})["amldeploy-files-1"][:-4]},
        packed(b"\xff\t1"),
        packed(b"no digits"),
        packed(b"\t123456"),
        packed(b"a\t1\n" * 200_000),
    ],
)
def test_a_list_that_cannot_be_read_is_none(tags: dict[str, str]) -> None:
    """Also one that was cut, and one that would fill the memory."""
    assert read_tags(body(tags)) is None


@given(st.lists(st.text(max_size=30), max_size=4).map(lambda values: dict(zip(file_list.TAGS, values, strict=False))))
def test_tags_of_anybody_break_nothing(tags: dict[str, str]) -> None:
    """Whatever stands in them."""
    in_words(read_tags(body(tags)), {"code/a.py": "1"})


def test_a_hostile_path_is_shown_safely() -> None:
    """On one line, cut, without control characters."""
    words = in_words(read_tags(body(packed(("x" * 5_000 + "\x1b[31m::error::\u202e\t1").encode()))), {})
    assert len(words) < 120
    assert "\x1b" not in words
    assert "\u202e" not in words
