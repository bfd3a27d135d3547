"""Editors: yaml-language-server completes each key of each file that users write, and explains it on hover.

The files are those of `init`, with its schemas and its first line, which names the schema. Each object of a schema is
written once; the server is asked for the keys that are possible there, and about each key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy import commands
from tests.contract import language_server
from tests.contract.language_server import Server

FILES = {
    "environment": "environments/local.yml",
    "endpoint": "templates/{}/endpoint.yml.j2",
    "deployment": "templates/{}/deployment.yml.j2",
    "pipeline": "templates/{}/pipeline.yml.j2",
}
TEMPLATE = "medimageparse"


@dataclass
class Place:
    """An object in a file: the path to it (a key, an index 0 in a list) and its keys with their descriptions."""

    path: tuple[str | int, ...]
    keys: dict[str, set[str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """YAML that leads to the object; the last line is the indentation of its keys."""
        written, indent = [], ""
        for step in self.path:
            if isinstance(step, str):
                written.append(f"{indent}{step}:")
                indent = " " * (len(indent) + 2)
            else:
                indent += "- "
        return [*written, indent]


def places(schema: dict[str, Any]) -> list[Place]:
    """Each object that a file can contain, once for each path; a definition inside itself is not followed again."""
    found: dict[tuple[str | int, ...], Place] = {}

    def walk(part: dict[str, Any], path: tuple[str | int, ...], inside: tuple[str, ...]) -> None:
        if (name := _name(part)) and name not in inside:
            walk(schema["$defs"][name], path, (*inside, name))
        for branch in _branches(part):
            walk(branch, path, inside)
        for key, value in part.get("properties", {}).items():
            place = found.setdefault(path, Place(path))
            place.keys.setdefault(key, set()).update(_descriptions(schema, value))
        for step, value in _inner(part):
            walk(value, (*path, step), inside)

    walk(schema, (), ())
    return list(found.values())


def _name(part: dict[str, Any]) -> str:
    """The definition to which a schema refers; empty if it refers to none."""
    return str(part.get("$ref", "")).rpartition("/")[2]


def _branches(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [*part.get("anyOf", ()), *part.get("oneOf", ())]


def _inner(part: dict[str, Any]) -> Iterator[tuple[str | int, dict[str, Any]]]:
    """The schemas of the values, each with a key or an index at which it applies."""
    yield from part.get("properties", {}).items()
    others = [part.get("additionalProperties"), *part.get("patternProperties", {}).values()]
    yield from (("name", each) for each in others if isinstance(each, dict))
    yield from ((0, each) for each in [part.get("items")] if isinstance(each, dict))


def _descriptions(schema: dict[str, Any], value: dict[str, Any]) -> Iterator[str]:
    """The description of a key, and those of the objects that its value can be: an editor shows one of them."""
    whole = schema["$defs"][_name(value)] if _name(value) else {}
    texts = [part.get("description") for part in (value, whole if "properties" in whole else {})]
    yield from (text for text in texts if text)
    for branch in _branches(value):
        yield from _descriptions(schema, branch)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `init` and `schema --write` make."""
    folder = tmp_path_factory.mktemp("editor")
    commands.init(commands.Project(folder), template=TEMPLATE)
    commands.write_schemas(folder)
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    program = language_server.command()
    if program is None:
        pytest.skip(f"yaml-language-server is not on PATH, nor in {language_server.VARIABLE}")
    with language_server.run(program, project) as found:
        yield found


def _first_line(path: Path) -> str:
    line = path.read_text(encoding="utf-8").splitlines()[0]
    assert line.startswith("# yaml-language-server: $schema=")
    return line


def _plain(text: str) -> str:
    """A text without Markdown's escapes and line breaks."""
    return re.sub(r"[^\w.,;:(){}/=-]+", "", text.replace("&nbsp;", "").replace("\\", ""))


@pytest.mark.parametrize("kind", FILES)
def test_each_key_is_completed_and_explained(kind: str, server: Server, project: Path) -> None:
    """Completion in an empty object offers each of its keys; hover shows the description of each key."""
    path = project / FILES[kind].format(TEMPLATE)
    first = _first_line(path)
    schema = json.loads((path.parent / first.partition("=")[2]).read_text(encoding="utf-8"))
    not_completed, not_explained = [], []
    for place in places(schema):
        start = [first, *place.lines()]
        (offered,) = server.ask(path, "\n".join(start), "completion", [(len(start) - 1, len(start[-1]))])
        labels = {item["label"] for item in offered["items"]}
        not_completed += [(*place.path, key) for key in place.keys if key not in labels]

        indent = " " * len(start[-1])
        lines = [f"{indent}{key}:" for key in place.keys]
        lines[0] = start[-1] + lines[0].strip()
        spots = [(len(start) - 1 + number, len(indent) + 1) for number in range(len(lines))]
        hovers = server.ask(path, "\n".join([*start[:-1], *lines]), "hover", spots)
        for (key, texts), hover in zip(place.keys.items(), hovers, strict=True):
            shown = _plain(hover["contents"]["value"]) if hover else ""
            if not any(_plain(text) in shown for text in texts):
                not_explained.append((*place.path, key))
    assert (not_completed, not_explained) == ([], [])
