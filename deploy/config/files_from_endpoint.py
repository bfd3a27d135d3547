"""Converts an existing endpoint to files: a template folder and an entry of the environment file.

Values that look like secrets are not written: `{{ values.<name> }}` replaces them, and a note lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from deploy import diff
from deploy.documents import yaml12
from deploy.documents.locations import Source
from deploy.domain.arm import Json
from deploy.domain.leases import DEADLINE, ENABLED
from deploy.domain.put_merge import AZURE_VARIABLES, is_ours
from deploy.domain.traffic_shares import shares
from deploy.errors import SpecError
from deploy.redact import looks_secret

_FULL_RATE = 1.0
"""The sampling rate of a collection without one."""
_EMPTY = re.compile(r"(endpoints:)[ \t]*\{[ \t]*\}[ \t]*(#.*)?\n?")
_BRACES = re.compile(r"(?<!\$)\{\{|\{[%#]")


@dataclass(frozen=True)
class Imported:
    """The files of a template (name -> text), for each value that was replaced its location, and notes about fields
    that CLI v2 cannot express.
    """

    files: Mapping[str, str]
    hidden: Mapping[str, str]
    notes: tuple[str, ...] = ()


def files_of(
    endpoint: Mapping[str, Json], deployments: Sequence[Mapping[str, Json]], roles: Sequence[Mapping[str, Json]]
) -> Imported:
    """The template of an existing endpoint. `endpoint` and `deployments` are ARM bodies, `roles` as in pipeline.yml."""
    hidden: dict[str, str] = {}
    documents = {stem: _without_azures(document) for stem, document in _documents(endpoint, deployments).items()}
    notes = tuple(note for stem, document in documents.items() if (note := _drop_rates(stem, document)))
    files = dict(_file(stem, document, hidden) for stem, document in documents.items())
    if pipeline := _pipeline(endpoint, roles):
        files["pipeline.yml"] = _yaml(pipeline)
    return Imported(files, hidden, notes)


def whole_files(
    endpoint: Mapping[str, Json], deployments: Sequence[Mapping[str, Json]], roles: Sequence[Mapping[str, Json]]
) -> dict[str, str]:
    """The files with all values, secrets included: for restoring a saved endpoint, never for writing to disk."""
    documents = {**_documents(endpoint, deployments), "pipeline": _pipeline(endpoint, roles)}
    for document in documents.values():
        _use_lowest_rate(document)
    return {f"{stem}.yml": _yaml(document) for stem, document in documents.items() if document}


def _documents(endpoint: Mapping[str, Json], deployments: Sequence[Mapping[str, Json]]) -> dict[str, dict[str, Json]]:
    documents = {"endpoint": _endpoint(endpoint)}
    for body in deployments:
        stem = "deployment" if len(deployments) == 1 else f"{body['name']}-deployment"
        held = _without_ours(diff.to_document(body, diff.DEPLOYMENT))
        if not (held.get("data_collector") or {}).get("collections"):  # it collects nothing, and no file can have it
            held = {name: value for name, value in held.items() if name != "data_collector"}
        documents[stem] = {"name": body["name"], "endpoint_name": endpoint["name"], **held}
    return documents


def _rates(document: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """Collection -> sampling rate, if the rates differ. A file has one rate for all."""
    rates = (document.get("data_collector") or {}).get("sampling_rate")
    return rates if isinstance(rates, Mapping) else None


def _drop_rates(stem: str, document: dict[str, Json]) -> str:
    """Leave out rates that differ, which then stay as they are in Azure; returns a note about it."""
    if (rates := _rates(document)) is None:
        return ""
    document["data_collector"] = {k: v for k, v in document["data_collector"].items() if k != "sampling_rate"}
    words = ", ".join(f"{name} {'default' if rate is None else rate}" for name, rate in rates.items())
    return f"{stem}: data_collector.sampling_rate is not written, as a file has one for all collections ({words})"


def _use_lowest_rate(document: dict[str, Json]) -> None:
    """One rate instead of rates that differ, for an endpoint that is recreated."""
    if (rates := _rates(document)) is not None:
        lowest = min(_FULL_RATE if rate is None else rate for rate in rates.values())
        document["data_collector"] = {**document["data_collector"], "sampling_rate": lowest}


def _endpoint(body: Mapping[str, Json]) -> dict[str, Json]:
    document = _without_ours(diff.to_document(body, diff.ENDPOINT))
    kept = {k: v for k, v in (document.pop("properties", None) or {}).items() if k not in (ENABLED, DEADLINE)}
    mirror = shares(body, "mirrorTraffic")
    return {
        "name": body["name"],
        **document,
        **({"properties": kept} if kept else {}),
        "traffic": shares(body),
        **({"mirror_traffic": mirror} if mirror else {}),
    }


def _without_ours(document: dict[str, Json]) -> dict[str, Json]:
    tags = {name: value for name, value in (document.pop("tags", None) or {}).items() if not is_ours(name)}
    return {**document, **({"tags": tags} if tags else {})}


def _without_azures(document: dict[str, Json]) -> dict[str, Json]:
    """Without the environment variables that the service adds to a deployment with code."""
    variables = document.get("environment_variables")
    if not document.get("code_configuration") or not variables:
        return document
    kept = {name: value for name, value in variables.items() if name not in AZURE_VARIABLES}
    rest = {name: value for name, value in document.items() if name != "environment_variables"}
    return {**rest, **({"environment_variables": kept} if kept else {})}


def _pipeline(endpoint: Mapping[str, Json], roles: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    held = endpoint["properties"].get("properties") or {}
    shared = any(name in held for name in (ENABLED, DEADLINE))
    return {
        **({"quota": {"capacity": "shared"}} if shared else {}),
        **({"roles": list(roles)} if roles else {}),
    }


def _file(stem: str, document: Mapping[str, Json], hidden: dict[str, str]) -> tuple[str, str]:
    """Name and text; a file with replaced values is a jinja2 template."""
    taken: dict[str, str] = {}
    masked = _masked(document, f"{stem}.yml.j2", taken, hidden)
    text = _yaml(masked)
    if not taken:
        return f"{stem}.yml", text
    text = _BRACES.sub(lambda found: "{{ '" + found[0] + "' }}", text)
    for mark, name in taken.items():
        text = text.replace(mark, f'"{{{{ values.{name} }}}}"')
    return f"{stem}.yml.j2", text


def _masked(document: Mapping[str, Json], file: str, taken: dict[str, str], hidden: dict[str, str]) -> dict[str, Json]:
    """The document with a mark in place of each secret; `taken`: mark -> name of the value."""
    whole = dict(document)
    for part in ("environment_variables", "tags", "properties"):
        for name, value in (whole.get(part) or {}).items():
            if looks_secret(name if part == "environment_variables" else "", str(value)):
                value_name = _free(name, hidden)
                mark = f"amldeploy-hides-{len(hidden)}-here"
                hidden[value_name], taken[mark] = f"{part}.{name} in {file}", value_name
                whole[part] = {**whole[part], name: mark}
    return whole


def _free(name: str, hidden: Mapping[str, str]) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    word = word if word[:1].isalpha() else f"hidden_{word}".rstrip("_")
    return word if word not in hidden else f"{word}_{len(hidden) + 1}"


def entry(key: str, template: str, indent: int = 2) -> str:
    """The lines of an environment file for one endpoint."""
    return f"{' ' * indent}{key}:\n{' ' * (indent + 2)}template: {template}\n"


def with_entry(text: str, source: Source, key: str, template: str) -> str | None:
    """The environment file with one more endpoint and everything else unchanged; None if that is not possible."""
    wanted = {**source.value, "endpoints": {**(source.value.get("endpoints") or {}), key: {"template": template}}}
    lines = text.splitlines(keepends=True)
    lines[-1] += "" if lines[-1].endswith("\n") else "\n"
    there = source.find(("endpoints",))
    if there is None:
        return _if_equal("".join([*lines, "endpoints:\n", entry(key, template)]), source.file, wanted)
    begins = source.root.keys["endpoints"].line
    if empty := _EMPTY.fullmatch(lines[begins - 1]):
        lines[begins - 1] = " ".join(filter(None, empty.groups())) + "\n"
    after = [place.line for place in source.root.keys.values() if place.line > begins]
    end = min(after, default=len(lines) + 1) - 1
    while end > begins and re.match(r"\s*$|#", lines[end - 1]):
        end -= 1
    columns = [place.column - 1 for place in there.keys.values()]
    added = entry(key, template, columns[0] if columns else 2)
    return _if_equal("".join([*lines[:end], added, *lines[end:]]), source.file, wanted)


def _if_equal(text: str, file: str, wanted: Json) -> str | None:
    """The text, if it parses to the expected value."""
    try:
        return text if yaml12.parse(text, file).value == wanted else None
    except SpecError:
        return None


class _Plain(yaml.SafeDumper):
    """Quotes text that YAML 1.2 reads as another type, and writes no aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    plain = isinstance(yaml12.resolve(value), str) and value.isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Plain.add_representer(str, _text)


def _yaml(document: Mapping[str, Json]) -> str:
    return yaml.dump(dict(document), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=10_000)
