"""The texts use plain words: the standard noun of the field, no aphorisms, no things that speak or stand.

Checked are `--help` of each command, each text constant of deploy/, the table of error codes, the schemas, the docs,
the texts of .github, and docstrings and comments. EXCEPTIONS lists each phrase that is right in one place, with the
reason.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import typer

from tests.project import ROOT


@dataclass(frozen=True)
class Phrase:
    """A forbidden phrase, as a regular expression, and the plain form. `code`: also in docstrings and comments."""

    pattern: str
    plain: str
    code: bool = True


PHRASES = (
    # Persons where the text is about things, and persons without a name.
    Phrase(r"nobody|no one|anybody|anyone", "name the thing: no traffic, unused, no manager"),
    Phrase(r"somebody|someone|everybody|everyone|whoever", "another user, another process, you"),
    Phrase(r"callers", "traffic"),
    Phrase(r"strangers?|foreign(?! key)", "unmanaged"),
    Phrase(r"owner of nothing|somebody else's|of others", "unmanaged; managed by ENV/KEY"),
    Phrase(r"whose", "of which; with", code=False),
    Phrase(r"ours|a bug of ours", "managed by amldeploy", code=False),
    # Things that speak, hear, know and wish.
    Phrase(r"says?|saying|said", "contains, is, returns, prints"),
    Phrase(r"tells?|told", "returns, shows, reports"),
    Phrase(r"speaks?|spoken|hears?|heard|overhears?", "uses, receives"),
    Phrase(r"wish(?:es|ed)?", "desired, configured"),
    Phrase(r"half a wish|half said", "incomplete"),
    Phrase(r"obeys?|obeyed", "uses, follows"),
    Phrase(r"lends?|lent", "has capacity"),
    # Old or rare verbs and words.
    Phrase(r"mend(?:s|ed|ing)?", "fix"),
    Phrase(r"lest|thereof|whereof|henceforth|hitherto|naught|nought|anew", "plain: so that ... not; of; again"),
    Phrase(r"likewise", "repeat what the neighbour does, in short"),
    Phrase(r"furnish(?:es|ed|ing)?", "create, fill"),
    Phrase(r"dials?|dialled", "set, setting"),
    Phrase(r"begets?|bestows?|begun", "creates; started"),
    Phrase(r"made again|make again|makes again|making again", "recreate"),
    Phrase(r"give(?:s|n)? back|given back", "return, move back"),
    Phrase(r"(?:give|gives|gave|given) (?:a |the |its |their )?roles?", "assign a role", code=False),
    Phrase(r"(?:take|takes|took|taken) (?:a |the |its |their )?roles? (?:away|back)", "remove a role"),
    Phrase(r"may not", "is not allowed to; might not", code=False),
    # Inversions and aphorisms.
    Phrase(r"stands?|standing|stood", "is, exists, contains"),
    Phrase(r"comes? (?:back|about|true)|came about|come to be", "returns; happens"),
    Phrase(r"towards nothing", "delete everything"),
    Phrase(r"make it so", "apply"),
    Phrase(r"nothing is due", "nothing to delete"),
    Phrase(r"see whether that is meant|as it is meant", "if this is intended"),
    Phrase(r"look again and again|a line a look", "refresh until Ctrl-C"),
    Phrase(r"is no longer wanted|no longer wanted", "removed from the files; removed by teardown"),
    Phrase(r"clock on the wall", "real time"),
    Phrase(r"time is over|its time has come", "lease expires"),
    Phrase(r"for ever", "always; stable"),
    Phrase(r"names? none of", "cause unknown"),
    Phrase(r"left[- ]overs?", "orphan"),
    Phrase(r"what was seen", "probe results"),
    Phrase(r"kept:", "saved:"),
    Phrase(r"signs:", "legend:"),
    Phrase(r"as it stands|let it be|be it|that is all|and that is it", "leave it out"),
    Phrase(r"at a glance of|slip of the finger|with fresh eyes|out of thin air", "leave it out"),
    Phrase(r"goes? forward to", "deploys"),
    Phrase(r"is served|are served|served by it", "receives traffic", code=False),
    # The private picture of a house.
    Phrase(r"(?:this|that|each|every|a|an|the|no|other|another|its|one) rooms?|rooms", "module, step type"),
    Phrase(r"houses?|household|street door|door[- ]plates?|floors of|lower floors?|upstairs|downstairs", "layer, CLI"),
    Phrase(r"at the door|back door|front door|through the door|this door|the door", "CLI, entry point"),
)
_COMPILED = [(re.compile(rf"(?i)(?<![\w-])(?:{p.pattern})(?![\w-])"), p) for p in PHRASES]


@dataclass(frozen=True)
class Exempt:
    """A text that keeps a phrase: the file, the words around it as a regular expression, and why."""

    file: str
    words: str
    reason: str


EXCEPTIONS = (Exempt("deploy/redact.py", r"\bforeign\b", "foreign_key, the name of a column: no secret"),)


def _hits(where: str, text: str, *, code: bool) -> list[str]:
    """`where: "phrase" -> plain form` for each forbidden phrase in a text; line breaks count as blanks."""
    text = " ".join(text.split())
    exempt = [e.words for e in EXCEPTIONS if e.file == where.split(":", maxsplit=1)[0]]
    for words in exempt:
        text = re.sub(words, "", text)
    return [
        f'{where}: "{found[0]}" in "{text[max(0, found.start() - 40) : found.end() + 40]}" -> {phrase.plain}'
        for pattern, phrase in _COMPILED
        if phrase.code or not code
        for found in pattern.finditer(text)
    ]


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Each command's path and its help text."""
    yield path, command.get_help(click.Context(command, info_name=path))
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


def _docstrings(tree: ast.Module) -> set[int]:
    """Ids of the constants that are docstrings: a text that is a statement of its own."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _keys(tree: ast.Module) -> set[int]:
    """Ids of the constants that are keys of a mapping: in a dict, an index, a comparison or a call of get or pop."""
    found: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            found += node.keys
        elif isinstance(node, ast.Subscript):
            found.append(node.slice)
        elif isinstance(node, ast.Compare):
            found += [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            found += node.args
    return {id(each) for each in found if isinstance(each, ast.Constant) and " " not in str(each.value)}


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each text constant that is no docstring and no key; a formatted value is written {}."""
    skip = _docstrings(tree) | _keys(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            skip |= {id(part) for part in node.values}
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skip:
            yield node.lineno, node.value


def _remarks(source: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring and comment. Comments in consecutive lines are one text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] > last + 1:
                yield first, " ".join(block)
                block = []
            first, last = (first if block else token.start[0]), token.start[0]
            block.append(token.string.lstrip("# "))
    if block:
        yield first, " ".join(block)


MODULES = sorted([*(ROOT / "deploy").rglob("*.py"), *(ROOT / "scripts" / "acceptance_run").rglob("*.py")])
PACKAGES = sorted({path.relative_to(ROOT).parts[1] for path in MODULES})
PAGES = sorted(
    [
        *(ROOT / "deploy").rglob("*.yml"),
        *(ROOT / "deploy" / "schemas").glob("*.json"),
        *(ROOT / "docs").rglob("*.md"),
        *(path for path in (ROOT / ".github").rglob("*") if path.is_file()),
        *ROOT.glob("*.md"),
    ]
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _modules(package: str) -> list[Path]:
    """Modules of a package of deploy/ or scripts/, or one loose module."""
    return [path for path in MODULES if path.relative_to(ROOT).parts[1] == package]


def test_help_uses_plain_words() -> None:
    """`--help` of every command and group."""
    from deploy.cli import app

    helps = list(_commands(typer.main.get_command(app), "amldeploy"))
    assert len(helps) > 20
    assert [hit for path, text in helps for hit in _hits(path, text, code=False)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_messages_use_plain_words(package: str) -> None:
    """Every text constant that a user may see."""
    hits = []
    for path in _modules(package):
        for line, text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            hits += _hits(f"{_name(path)}:{line}", text, code=False)
    assert hits == []


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_and_comments_use_plain_words(package: str) -> None:
    """What a reader of the code reads."""
    hits = []
    for path in _modules(package):
        source = path.read_text(encoding="utf-8")
        for line, text in _remarks(source, ast.parse(source)):
            hits += _hits(f"{_name(path)}:{line}", text, code=True)
    assert hits == []


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_pages_use_plain_words(path: Path) -> None:
    """Error codes, schemas, docs, README, CHANGELOG and the texts of .github, paragraph by paragraph."""
    text = path.read_text(encoding="utf-8")
    hits, line = [], 1
    for paragraph in text.split("\n\n"):
        hits += _hits(f"{_name(path)}:{line}", paragraph, code=False)
        line += paragraph.count("\n") + 2
    assert hits == []


def test_each_exception_is_needed() -> None:
    """An exception that forgives nothing any more is removed."""
    assert [e for e in EXCEPTIONS if not re.search(e.words, " ".join((ROOT / e.file).read_text("utf-8").split()))] == []
