"""The local files of a release, listed in tags of its deployment, so that a plan can name those that changed. Pure.

It contains the path of each file, after its part of the deployment (`code/score.py`), and six hex digits of its
digest. The list is a line a file (path, TAB, digits), compressed by zlib, in URL-safe base64 without padding, cut into
tags `amldeploy-files-1` to `-4` of 256 characters. Where it does not fit, folders become one line each
(`code/vendor/`), with a digest of what they hold: the deepest first, of those the largest first.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from deploy.domain.digests import Entries, digest
from deploy.sanitize import sanitize

Json = Any
Files = Mapping[str, str]
"""Path -> hex digits of the digest of its content; the path of a folder ends in a slash."""
TAGS = tuple(f"amldeploy-files-{number}" for number in range(1, 5))
"""Tags on a deployment that list its files; the run writes them."""
_LONGEST = 256
"""Characters that Azure accepts in the value of a tag."""
_ROOM = _LONGEST * len(TAGS)
_DIGITS = 6
_MOST = 65_536
"""Bytes of a list of files; lists that amldeploy wrote are far smaller."""
_PARTS = {"code_configuration.code": "code", "model.path": "model"}
"""Field that names local files -> the part of the deployment; any other is the environment."""
_NAMED, _PATH = 3, 80
"""Files that are named one by one; letters of a path that are shown."""


def listed(trees: Mapping[str, tuple[str, Entries]]) -> dict[str, str]:
    """The files of a deployment. `trees`: field -> the name of the file or folder that it names, and its entries."""
    return {
        f"{_PARTS.get(field, 'environment')}/{_plain(path or name)}": digest(content, _DIGITS)
        for field, (name, entries) in trees.items()
        for path, content in entries
    }


def of_slot(files: Mapping[str, Files], name: str) -> Files:
    """The files of a deployment. `files`: written name -> files; what the files name alone may be in any slot."""
    return files.get(name) or (next(iter(files.values())) if len(files) == 1 else {})


def tags_of(files: Files) -> dict[str, str]:
    """The tags that list the files."""
    text = _fitting(files)
    pieces = [text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST)]
    return dict(zip(TAGS, pieces, strict=False))


def read_tags(body: Mapping[str, Json]) -> dict[str, str] | None:
    """The files that the tags of a deployment (its ARM body) list; None without a readable list."""
    tags = {str(name).lower(): str(value) for name, value in (body.get("tags") or {}).items()}
    text = "".join(tags.get(name, "") for name in TAGS)
    try:
        packed = zlib.decompressobj()
        raw = packed.decompress(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), _MOST)
        if not packed.eof:
            return None
        lines = [line.partition("\t") for line in raw.decode().split("\n") if raw]
    except (binascii.Error, zlib.error, ValueError):
        return None
    found = {path: digits for path, _, digits in lines}
    return found if all(path and digits for path, digits in found.items()) else None


def rolled_up(files: Files, folders: Iterable[str]) -> dict[str, str]:
    """The files, with one entry for each of these folders (the outermost counts) instead of what it holds."""
    chosen = set(folders)
    listed, inside = {}, dict[str, list[list[str]]]()
    for path, digits in files.items():
        folder = next((each for each in _above(path) if each in chosen), None)
        if folder is None:
            listed[path] = digits
        else:
            inside.setdefault(folder, []).append([path, digits])
    return listed | {folder: digest(sorted(held), _DIGITS) for folder, held in inside.items()}


def changed(before: Files, files: Files) -> list[tuple[str, str]]:
    """(path, `changed`, `added` or `removed`) of each difference between a list that was read and the files."""
    now = rolled_up(files, (path for path in before if path.endswith("/")))
    words = {path: "changed" for path in before.keys() & now.keys() if before[path] != now[path]}
    words |= dict.fromkeys(now.keys() - before.keys(), "added") | dict.fromkeys(before.keys() - now.keys(), "removed")
    return sorted(words.items())


def in_words(before: Files | None, files: Files) -> str:
    """`files: code/score.py changed, code/notes.md added (+3 more)`; empty without a difference."""
    if before is None:
        return "files (not recorded)" if files else ""
    found = changed(before, files)
    more = f" (+{len(found) - _NAMED} more)" if len(found) > _NAMED else ""
    return f"files: {', '.join(f'{_shown(path)} {what}' for path, what in found[:_NAMED])}{more}" if found else ""


def _fitting(files: Files) -> str:
    """The list in letters, with as few folders rolled up as needed to fit."""
    text, rolled = _packed(files), list[str]()
    sizes = Counter(folder for path in files for folder in _above(path))
    for depth in sorted({folder.count("/") for folder in sizes}, reverse=True):
        if len(text) <= _ROOM:
            break
        level = sorted((f for f in sizes if f.count("/") == depth), key=lambda folder: (-sizes[folder], folder))
        text = _packed(rolled_up(files, [*rolled, *level]))
        if len(text) <= _ROOM:
            numbers = range(1, len(level))
            n = bisect_left(numbers, True, key=lambda n: len(_packed(rolled_up(files, [*rolled, *level[:n]]))) <= _ROOM)
            text = _packed(rolled_up(files, [*rolled, *level[: n + 1]]))
        rolled += level
    return text


def _packed(files: Files) -> str:
    text = "\n".join(f"{path}\t{digits}" for path, digits in sorted(files.items()))
    packed = zlib.compress(text.encode("utf-8", "replace"), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _above(path: str) -> list[str]:
    """The folders that a path is in, outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:n]) + "/" for n in range(1, len(parts))]


def _shown(path: str) -> str:
    """The end of a path on one line."""
    text = " ".join(sanitize(path).split())
    return text if len(text) <= _PATH else f"…{text[1 - _PATH :]}"


def _plain(path: str) -> str:
    """A path without the letters that separate entries."""
    return path.translate({9: " ", 10: " "}).encode("utf-8", "replace").decode()
