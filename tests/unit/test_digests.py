"""Digests of local files: what is deployed decides, not what lies about."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import digests
from deploy.digests import TooMuch, digest_tree


def tree(folder: Path, **files: str) -> Path:
    """Files below a folder; `__` in a name stands for a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_equal_folders_are_equal(tmp_path: Path) -> None:
    """Where the folder lies and when it was made is of no account."""
    one, other = tree(tmp_path / "a", x="1", y__z="2"), tree(tmp_path / "b", y__z="2", x="1")
    assert digest_tree(one) == digest_tree(other)


@pytest.mark.parametrize("files", [{"x": "2"}, {"y": "1"}, {"x": "1", "y": ""}, {"x__y": "1"}, {}])
def test_contents_and_names_decide(tmp_path: Path, files: dict[str, str]) -> None:
    """Another content, name or number of files is another digest."""
    (tmp_path / "b").mkdir()
    assert digest_tree(tree(tmp_path / "a", x="1")) != digest_tree(tree(tmp_path / "b", **files))


def test_running_the_program_changes_nothing(tmp_path: Path) -> None:
    """Bytecode that Python leaves behind is no part of a release."""
    folder = tree(tmp_path / "a", score="1")
    before = digest_tree(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "score.pyc").write_bytes(b"x")
    (folder / "old.pyc").write_bytes(b"x")
    assert digest_tree(folder) == before


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    """A link that leads out counts by its target's name; one that stays inside by its content."""
    secret = tmp_path / "secret"
    secret.write_text("one")
    folder = tree(tmp_path / "a", x="1")
    (folder / "out").symlink_to(secret)
    (folder / "in").symlink_to("x")
    (folder / "circle").symlink_to(folder)
    before = digest_tree(folder)
    secret.write_text("two")
    assert digest_tree(folder) == before
    (folder / "x").write_text("2")
    assert digest_tree(folder) != before


def test_a_single_file_has_a_digest(tmp_path: Path) -> None:
    """A conda file is digested by its content."""
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    assert digest_tree(tmp_path / "a") == digest_tree(tmp_path / "b")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """A folder that cannot be meant is not read to its end."""
    for number in range(digests.FILES + 1):
        (tmp_path / str(number)).touch()
    with pytest.raises(TooMuch):
        digest_tree(tmp_path)


@given(
    st.dictionaries(st.sampled_from("abc"), st.binary(max_size=4)),
    st.dictionaries(st.sampled_from("abc"), st.binary(max_size=4)),
)
def test_only_equal_folders_are_equal(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    """Two folders have one digest when they hold the same files, and only then."""
    import tempfile

    with tempfile.TemporaryDirectory() as here:
        for name, files in (("1", one), ("2", other)):
            (Path(here) / name).mkdir()
            for file, content in files.items():
                (Path(here) / name / file).write_bytes(content)
        assert (digest_tree(Path(here) / "1") == digest_tree(Path(here) / "2")) == (one == other)
