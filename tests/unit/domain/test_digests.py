"""Digests of local files: what is deployed decides, not what lies about."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.domain import digests
from deploy.domain.digests import TooMuch, digest_tree


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


@pytest.mark.parametrize("name", ["__pycache__", ".ipynb_checkpoints", ".git", ".amldeploy", ".DS_Store"])
def test_what_programs_write_does_not_count(tmp_path: Path, name: str) -> None:
    """At any depth, as a folder or as a file."""
    folder = tree(tmp_path / "a", score="1", deep__x="1")
    before = digest_tree(folder)
    (folder / name).mkdir()
    (folder / name / "x").touch()
    (folder / "deep" / name).touch()
    assert digest_tree(folder) == before


@pytest.mark.parametrize(("ignoring", "counts"), [(".amlignore", False), (".gitignore", False), ("other", True)])
def test_ignored_files_do_not_count(tmp_path: Path, ignoring: str, counts: bool) -> None:
    """Notes that are not uploaded make no release."""
    folder = tree(tmp_path / "a", score="1", **{ignoring: "*.md\nnotes/\n"})
    before = digest_tree(folder)
    tree(folder, **{"todo.md": "1", "notes__x": "1"})
    assert (digest_tree(folder) != before) == counts
    tree(folder, score="2")
    assert digest_tree(folder) != before


def test_line_ends_of_text_do_not_count(tmp_path: Path) -> None:
    """A checkout on Windows is the same release; a file with a NUL byte counts as it is."""
    unix, windows = tmp_path / "unix", tmp_path / "windows"
    for folder, end in ((unix, b"\n"), (windows, b"\r\n")):
        folder.mkdir()
        (folder / "score.py").write_bytes(b"a" + end + b"b" + end + end)
        (folder / "long.txt").write_bytes(b"x" * (digests._CHUNK - 1) + end + b"y" + end)
        (folder / "late.bin").write_bytes(b"x" * 9_000 + b"\0" + end)
    assert digest_tree(unix) == digest_tree(windows)
    assert digest_tree(unix / "score.py") == digest_tree(windows / "score.py")
    for folder, end in ((unix, b"\n"), (windows, b"\r\n")):
        (folder / "weights.bin").write_bytes(b"\0" + end)
    assert digest_tree(unix) != digest_tree(windows)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0"]), max_size=12).map(b"".join), st.integers(1, 4))
def test_a_text_counts_with_lf_for_crlf(content: bytes, chunk: int) -> None:
    """However it is cut when it is read."""
    import tempfile

    with tempfile.TemporaryDirectory() as here, pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "_CHUNK", chunk)
        (Path(here) / "x").write_bytes(content)
        meant = content if b"\0" in content else content.replace(b"\r\n", b"\n")
        assert digests._content(Path(here) / "x") == hashlib.sha256(meant).hexdigest()


def test_names_are_compared_in_one_form(tmp_path: Path) -> None:
    """Composed or decomposed letters are one name, and the order is that of its form; modes do not count."""
    folders = tmp_path / "1", tmp_path / "2"
    for folder, name in zip(folders, ("caf\u00e9", "cafe\u0301"), strict=True):
        (folder / name).mkdir(parents=True)
        (folder / name / "x").touch(0o600 if len(name) == 4 else 0o755)
        (folder / "caff").touch()
    assert len({digest_tree(folder) for folder in folders}) == 1


def test_releases_without_ignore_files_stay_as_they_are(tmp_path: Path) -> None:
    """The digest of such a folder is written in deployments that are there."""
    folder = tree(tmp_path / "a", **{"b": "1", "a.b__c": "2", "a__z": "3", "a-b": "4", "B": "\u00e9"})
    (folder / "link").symlink_to("b")
    assert digest_tree(folder) == "1097e73ef376a69ebe2b8c45abd6676789c20072b103dbf3d764f0dc1ff16861"


def test_links_within_the_project_count_as_what_they_lead_to(tmp_path: Path) -> None:
    """As azure-ai-ml uploads them; a folder that contains itself is read once."""
    shared = tree(tmp_path / "common", x="1")
    folder = tree(tmp_path / "a", score="1")
    (folder / "lib").symlink_to("../common")
    (shared / "self").symlink_to(".")
    outside, inside = digest_tree(folder), digest_tree(folder, tmp_path)
    tree(shared, x="2")
    assert digest_tree(folder) == outside
    assert digest_tree(folder, tmp_path) != inside


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
