"""Digests of values, and of local files and folders: a changed scoring script is a new release. It only reads.

A folder counts with the files that azure-ai-ml uploads (`ignore_file`), without those that programs write by
themselves (WRITTEN_BY_PROGRAMS, and `*.pyc`). One commit has one digest on every system: names are compared in Unicode
form NFC with slashes between their parts, line ends of text files are read as LF, modes and times do not count.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from deploy.domain.ignore_file import IgnoreFile, read_ignore_file

FILES = 10_000
_ENTRIES = 100_000
"""Entries of a folder that are read at most, ignored ones included."""
WRITTEN_BY_PROGRAMS = frozenset({"__pycache__", ".ipynb_checkpoints", ".git", ".amldeploy", ".DS_Store"})
"""Names of files and folders that are no part of a release; `*.pyc` neither. docs/releases.md lists them."""
_HEAD, _CHUNK = 8_000, 1 << 20
"""Bytes in which a NUL means that a file is not text, as in git; bytes that are read at once."""
Entries = tuple[tuple[str, str], ...]
"""(path in the folder, digest of the content) of each file, in order; the path of a single file is empty."""


class TooMuch(Exception):
    """The folder contains too many files for a deployment."""


def digest(value: Any, length: int = 64) -> str:
    """SHA-256 of a JSON value written in one way (sorted, no spaces), in hex, cut to `length`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


@lru_cache(maxsize=1024)
def slow_digest(text: str, salt: str) -> str:
    """16 hex digits of a text that may be short and secret. scrypt, so that a reader of a plan file cannot try many.
    The salt is the workspace's id and not random, so that the same plan has the same fingerprint.
    """
    return hashlib.scrypt(text.encode("utf-8", "surrogatepass"), salt=salt.encode(), n=2**14, r=8, p=1, dklen=8).hex()


def digest_tree(path: Path, within: Path | None = None) -> str:
    """SHA-256 over the names and contents of a file or of everything in a folder, in hex. Raises as `read_tree`."""
    return digest_entries(read_tree(path, within))


def digest_entries(entries: Entries) -> str:
    """SHA-256 over the entries of a folder, in hex."""
    whole = hashlib.sha256()
    for name, content in entries:
        whole.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def read_tree(path: Path, within: Path | None = None) -> Entries:
    """The files of a folder that count, or the one file.

    A link counts as what it leads to, as azure-ai-ml uploads it, if that is in the folder or in `within`. Any other
    link, and one to a folder that it is in, counts as the name of its target: what a project does not hold is not read.
    Raises TooMuch beyond 10 000 files, Unusable for an ignore file, and OSError when a file cannot be read.
    """
    if path.is_file():
        return (("", _content(path)),)
    root = path.resolve()
    roots = (root, within.resolve()) if within else (root,)
    ignored = read_ignore_file(root)
    files: list[tuple[str, Path]] = []
    for number, (name, file) in enumerate(_entries(root, ignored, roots)):
        if number >= _ENTRIES:
            raise TooMuch(f"more than {_ENTRIES} entries")
        if name:
            files.append((normalize("NFC", name), file))
        if len(files) > FILES:
            raise TooMuch(f"more than {FILES} files")
    files.sort(key=lambda each: (each[0].split("/"), each[1]))
    return tuple((name, _content(file) if _is_read(file, roots) else f"-> {_target(file)}") for name, file in files)


def _entries(root: Path, ignored: IgnoreFile, roots: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Every entry: its path in the folder, which is empty when it does not count, and where it is."""
    folders: list[tuple[str, Path, tuple[Path, ...]]] = [("", root, (root,))]
    while folders:
        above, folder, parents = folders.pop()
        for entry in folder.iterdir():
            if entry.name in WRITTEN_BY_PROGRAMS or entry.suffix == ".pyc":
                continue
            name = f"{above}{entry.name}"
            inside = entry.resolve() if entry.is_symlink() else entry
            if entry.is_dir() and _is_held(entry, roots) and inside not in parents:
                if not ignored.excludes_all_of(str(inside)):
                    folders.append((f"{name}/", inside, (*parents, inside)))
                yield "", entry
            elif entry.is_symlink() or entry.is_file():
                yield ("" if ignored.excludes(str(folder / entry.name)) else name), entry


def _is_held(entry: Path, roots: Iterable[Path]) -> bool:
    """Whether an entry is no link, or leads to something in one of these folders."""
    return not entry.is_symlink() or (entry.exists() and any(entry.resolve().is_relative_to(each) for each in roots))


def _is_read(file: Path, roots: Iterable[Path]) -> bool:
    return file.is_file() and _is_held(file, roots)


def _target(link: Path) -> str:
    return os.readlink(link).replace(os.sep, "/")  # noqa: PTH115 as it is written, not as a path


def _content(file: Path) -> str:
    """SHA-256 of a file, in hex: of text with LF for CRLF."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        if b"\0" in head:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        whole = hashlib.sha256()
        left = b""
        while chunk := stream.read(_CHUNK):
            text = left + chunk
            left = b"\r" if text.endswith(b"\r") else b""
            whole.update((text[:-1] if left else text).replace(b"\r\n", b"\n"))
        whole.update(left)
        return whole.hexdigest()
