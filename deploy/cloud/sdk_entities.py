"""azure-ai-ml's entities of endpoints and deployments, loaded from CLI v2 documents, with fields that CLI v2 lacks."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.cloud.transport import IMPORT_LOCK
from deploy.domain.arm import Json

Record = Callable[[Mapping[str, Json]], Mapping[str, str]]
"""Ids of a deployment's assets (path in the file -> ARM id) -> the tags that record them."""


def load_endpoint(document: Mapping[str, Json]) -> Any:
    with IMPORT_LOCK:
        from azure.ai.ml import load_online_endpoint

    return load_online_endpoint(_as_file(document))


def load_deployment(document: Mapping[str, Json], folder: Path, record: Record) -> Any:
    """Relative paths of the document start at `folder`.

    When its body is written, the entity adds the tags that record its assets, which are created just before, and the
    sampling rates of collections if they differ.
    """
    with IMPORT_LOCK:
        from azure.ai.ml import load_online_deployment

    plain, rates = _with_one_rate(document)
    entity: Any = load_online_deployment(_as_file(plain), relative_origin=str(folder / "deployment.yml"))
    write = entity._to_rest_object  # noqa: SLF001 called after its assets are created

    def write_whole(*args: Any, **kwargs: Any) -> Any:
        code = entity.code_configuration and entity.code_configuration.code
        made = {"model": entity.model, "environment": entity.environment, "code_configuration.code": code}
        entity.tags = {**(entity.tags or {}), **record(made)}
        body = write(*args, **kwargs)
        for name, rate in rates.items():
            body.properties.data_collector.collections[name].sampling_rate = rate
        return body

    entity._to_rest_object = write_whole  # noqa: SLF001
    return entity


def _with_one_rate(document: Mapping[str, Json]) -> tuple[Mapping[str, Json], Mapping[str, float]]:
    """A valid CLI v2 document, and the sampling rate of each collection if there is no common one."""
    collector = document.get("data_collector") or {}
    if not isinstance(rates := collector.get("sampling_rate"), Mapping):
        return document, {}
    plain = {name: value for name, value in collector.items() if name != "sampling_rate"}
    return {**document, "data_collector": plain}, rates


def _as_file(document: Mapping[str, Json]) -> io.StringIO:
    """The document as YAML in ASCII, because YAML parsers disagree about some non-ASCII line ends."""
    return io.StringIO(yaml.safe_dump(dict(document), sort_keys=False))
