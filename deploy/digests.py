"""Digests of values, and of local files and folders: a changed scoring script is a new release. It only reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

FILES = 10_000
_LEFT_OUT = frozenset({"__pycache__", ".git", ".amldeploy", ".DS_Store"})


class TooMuch(Exception):
    """The folder holds more files than a deployment has any use for."""


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


def digest_tree(path: Path) -> str:
    """SHA-256 over the names and contents of a file or of everything in a folder, in hex.

    Running a program changes nothing: bytecode is left out. A link that leads out of the folder counts as its target's
    name, never as what it leads to. Raises TooMuch beyond 10 000 files and OSError when a file cannot be read.
    """
    whole = hashlib.sha256()
    for name, content in _parts(path):
        whole.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _parts(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_file():
        yield "", _content(path)
        return
    root = path.resolve()
    for number, file in enumerate(_files(root)):
        if number >= FILES:
            raise TooMuch(f"more than {FILES} files")
        outside = file.is_symlink() and not (file.is_file() and file.resolve().is_relative_to(root))
        yield file.relative_to(root).as_posix(), f"-> {file.readlink()}" if outside else _content(file)


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in _LEFT_OUT or entry.suffix == ".pyc":
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_symlink() or entry.is_file():
            yield entry


def _content(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
