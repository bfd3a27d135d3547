"""Which files of a folder count for a release: those that azure-ai-ml uploads, without what programs write."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.domain.digests import WRITTEN_BY_PROGRAMS, read_tree
from deploy.domain.ignore_file import IgnoreFile, Unusable, read_ignore_file

NAMES = st.sampled_from(
    ["a", "b", "a.txt", "b.md", ".x", "a b", "[a]", "!a", "#a", "é", "a\\b", "__pycache__", "c.pyc"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(
    ["a", "b", "*", "**", "?", "/", "/", "/", "!", "#", "[a", "]", "[!a]", "[^a]", "[]a]", "[a-b]", "[b-a]", "[[&&]"]
) | st.sampled_from(["\\", ".txt", ".md", "*.md", "é", ".x", " ", "\t"])
LINES = (
    st.lists(PIECES, max_size=6).map("".join)
    | PATHS
    | st.sampled_from(["", "/", "**/", "!", "!/", "//", "***", "a/**/b"])
)
IGNORING = st.lists(LINES, max_size=5).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines))
)


def uploaded(folder: Path) -> set[str]:
    """The paths that azure-ai-ml gives to the files that it uploads."""
    from azure.ai.ml._utils._asset_utils import get_ignore_file, get_upload_files_from_folder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return {name for _, name in get_upload_files_from_folder(folder, ignore_file=get_ignore_file(folder))}


def of_programs(name: str) -> bool:
    return any(part in WRITTEN_BY_PROGRAMS or re.fullmatch(r".+\.pyc", part) for part in name.split("/"))


def grow(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
        except OSError:  # a file where another one's folder is
            continue


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(PATHS, st.just("x"), max_size=8),
    st.dictionaries(st.sampled_from([".amlignore", ".gitignore", "a/.gitignore"]), IGNORING, max_size=3),
    st.dictionaries(st.sampled_from(["l", "a/l"]), st.sampled_from(["a", "b", "../b", "."]), max_size=1),
)
@example({"notes.md": "", "keep.md": "", "d/x.md": ""}, {".amlignore": "*.md\n!keep.md"}, {})
@example({"d/x": "", "d/y/z": ""}, {".gitignore": "\ufeffd/"}, {})
@example({"d/x": "", "d/y": ""}, {".gitignore": "d[!a]??\n"}, {})
@example({"b/x": "", "b/y.md": ""}, {".gitignore": "b/*.md"}, {"l": "b"})
def test_the_same_files(files: dict[str, str], ignoring: dict[str, str], links: dict[str, str]) -> None:
    """Over random folders: the same set of files; where the SDK cannot read the ignore file, we refuse it."""
    with TemporaryDirectory() as here:
        folder = Path(here).resolve() / "code"
        folder.mkdir()
        grow(folder, {**files, **ignoring})
        for name, target in links.items():
            if (folder / name).parent.is_dir() and (folder / name).parent.joinpath(target).is_dir() and target != ".":
                (folder / name).symlink_to(target)
        try:
            theirs = uploaded(folder)
        except (ValueError, re.error):
            with pytest.raises(Unusable):
                read_ignore_file(folder)
            return
        assert {name for name, _ in read_tree(folder)} == {name for name in theirs if not of_programs(name)}


@given(PATHS, IGNORING)
def test_a_folder_that_is_passed_over_holds_nothing(folder: str, ignoring: str) -> None:
    """What is not looked into would have been left out file by file."""
    with TemporaryDirectory() as here:
        (Path(here) / ".amlignore").write_text(ignoring, encoding="utf-8", newline="")
        try:
            ignored = read_ignore_file(Path(here).resolve())
        except Unusable:
            return
        inside = os.path.join(ignored.base, folder)  # noqa: PTH118
        if ignored.excludes_all_of(inside):
            assert all(ignored.excludes(f"{inside}/{name}") for name in ("x", "a/b", "zz.md", "a b/c/[d]"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x" * 1_048_577, "larger than 1024 KiB"),
        (b"caf\xe9", "not UTF-8"),
        (b"*.md\n!\n", "line 2 of .amlignore"),
        (b"[b-a]", "line 1 of .amlignore"),
    ],
)
def test_an_ignore_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    """With the line, where it is one."""
    (tmp_path / ".amlignore").write_bytes(content)
    with pytest.raises(Unusable, match=re.escape(why)):
        read_tree(tmp_path)


def test_without_an_ignore_file_all_counts(tmp_path: Path) -> None:
    """Nothing is left out."""
    assert read_ignore_file(tmp_path) == IgnoreFile(str(tmp_path))
