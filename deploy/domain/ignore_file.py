"""The ignore file of a folder that is uploaded, read as azure-ai-ml reads it. It imports none of the SDK.

azure-ai-ml 1.35 (`_utils/_asset_utils.py`, `_utils/_pathspec.py`) reads one file at the root of a folder: `.amlignore`
or else `.gitignore`. Its lines are patterns of gitignore, and the last one that matches decides. Unlike git it reads no
ignore file of a folder below, and tests each file and never a folder, so `!` brings back a file of an ignored folder.
tests/contract/test_ignored.py compares the two.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAMES = (".amlignore", ".gitignore")
"""The first that exists is used; the other is not read."""
LARGEST = 1_048_576
"""Bytes of an ignore file."""
_BELOW = "(?:/.*)?"
_ANY = "**"


class Unusable(Exception):
    """An ignore file that azure-ai-ml cannot use; the text contains which, and why."""


@dataclass(frozen=True)
class IgnoreFile:
    """The patterns of a folder, in order; `base` is the folder that they are relative to."""

    base: str
    patterns: tuple[tuple[re.Pattern[str], bool], ...] = ()
    plain: bool = True
    """Whether what matches a folder with a slash after it matches all that is in it."""

    def excludes(self, file: str) -> bool:
        """Whether the file (absolute path, links of its folder resolved) is left out."""
        if not self.patterns:
            return False
        name = _relative(file, self.base)
        return next((ignored for pattern, ignored in reversed(self.patterns) if pattern.match(name)), False)

    def excludes_all_of(self, folder: str) -> bool:
        """Whether all files of a folder are certainly left out, without reading the folder."""
        return self.plain and any(pattern.match(f"{_relative(folder, self.base)}/") for pattern, _ in self.patterns)


def read_ignore_file(folder: Path) -> IgnoreFile:
    """The ignore file of a folder. Raises Unusable, and OSError when it cannot be read."""
    found = next((folder / name for name in NAMES if (folder / name).exists()), None)
    if found is None:
        return IgnoreFile(str(folder))
    with found.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Unusable(f"{found.name} is larger than {LARGEST // 1024} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{found.name} is not UTF-8") from None
    lines = re.split(r"\r\n|\r|\n", text)
    written = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    used = [(number, line) for number, line in written if line not in ("", "/") and not line.startswith("#")]
    patterns = tuple(_compiled(found.name, number, line) for number, line in used)
    plain = not any(line.startswith("!") or "[" in line for _, line in used)
    return IgnoreFile(str(found.resolve().parent), patterns, plain)


def _relative(path: str, base: str) -> str:
    return os.path.relpath(path, base).replace(os.sep, "/")


def _compiled(file: str, number: int, line: str) -> tuple[re.Pattern[str], bool]:
    """A line's pattern, and whether what matches it is left out (or brought back)."""
    ignored = not line.startswith("!")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of `[[`, which a later Python may read otherwise
            return re.compile(_expression(line if ignored else line[1:])), ignored
    except (re.error, ValueError) as error:
        raise Unusable(f"line {number} of {file} is not a pattern: {error}") from None


def _expression(pattern: str) -> str:
    """The regular expression of a pattern; a file of a folder that matches, matches too."""
    parts = pattern.split("/")
    parts = [part for n, part in enumerate(parts) if n == 0 or part != _ANY or parts[n - 1] != _ANY]
    if parts == [_ANY, ""]:
        return "^.+/.*$"
    if not parts[0]:
        parts = parts[1:]
    elif len(parts) == 1 or (len(parts) == 2 and not parts[1]):
        parts = parts if parts[0] == _ANY else [_ANY, *parts]
    if not parts:
        raise ValueError("nothing follows the !")
    if len(parts) > 1 and not parts[-1]:
        parts[-1] = _ANY
    return f"^{''.join(_segments(parts))}$"


def _segments(parts: list[str]) -> Iterator[str]:
    """The expressions of the parts between slashes; `**` matches any number of them."""
    last, slash = len(parts) - 1, ""
    for number, part in enumerate(parts):
        if part == _ANY:
            yield ".+" if last == 0 else "(?:.+/)?" if number == 0 else "/.*" if number == last else "(?:/.+)?"
            slash = "" if number == 0 else "/"
        else:
            yield slash + ("[^/]+" if part == "*" else "".join(_letters(part))) + (_BELOW if number == last else "")
            slash = "/"


def _letters(part: str) -> Iterator[str]:
    """The expressions of the letters of one part: `*`, `?`, `[...]`, a backslash and the letter after it."""
    at = 0
    while at < len(part):
        letter, at = part[at], at + 1
        if letter == "\\":
            if at == len(part):
                raise ValueError("nothing follows the backslash at its end")
            letter, at = part[at], at + 1
            yield re.escape(letter)
        elif letter == "[" and (end := _end_of_set(part, at)):
            yield _set(part[at:end])
            at = end + 1
        else:
            yield {"*": "[^/]*", "?": "[^/]"}.get(letter) or re.escape(letter)


def _end_of_set(part: str, start: int) -> int:
    """The index of the closing bracket; 0 if there is none (a literal `[`). A `]` right after `[` is in the set."""
    after = start + (part[start : start + 1] == "!")
    return max(part.find("]", after + (part[after : after + 1] == "]")), 0)


def _set(inside: str) -> str:
    """A set of letters, `!` at its beginning for all others; it has no escapes."""
    no = inside.startswith("!")
    letters = inside[1:] if no else inside
    letters = letters.replace("\\", "\\\\")
    return f"[{'^' if no else ''}{letters if no or not letters.startswith('^') else chr(92) + letters}]"
