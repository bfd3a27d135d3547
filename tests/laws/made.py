"""Handles documents without HTTP: the validator, the entities of the SDK, PUT and GET of the emulator."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.config import validation
from deploy.documents import yaml12
from deploy.documents.locations import Rendered
from deploy.domain.spec import EndpointSpec, Environment
from deploy.emulator.entra.access_tokens import Tokens
from deploy.emulator.rbac import builtin_roles
from deploy.emulator.seed import default_world
from tests.addresses import addr
from tests.unit.emulator.azure import WORKSPACE, Azure

ENVIRONMENT = Environment("law", "local", "sub", "rg", "ws", ("mip",))
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


class _Quoted(yaml.SafeDumper):
    """A dumper that quotes every string, so that YAML 1.1 and 1.2 read the same text."""


_Quoted.add_representer(str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"'))


def text_of(value: Any) -> str:
    """Return a document as YAML text."""
    return yaml.dump(value, Dumper=_Quoted)


@contextmanager
def open_azure(folders: pytest.TempPathFactory) -> Iterator[Azure]:
    """Open a new world with the assets that the drawn documents name."""
    found = Azure(folders.mktemp("world"), Tokens(folders.mktemp("tokens")))
    for path in ("models/M/versions/3", "environments/E/versions/2"):
        assert found.send("PUT", f"{WORKSPACE}/{path}", {"properties": {"modelUri": "x", "image": "x"}}).status < 300
    holder = found.send("GET", default_world.IDENTITY_ID).json["properties"]["principalId"]
    for role, scope in (
        (builtin_roles.ACR_PULL, default_world.CONTAINER_REGISTRY_ID),
        (BLOB_CONTRIBUTOR, default_world.STORAGE_ID),
    ):
        assert found.assign_role(holder, role, scope).status == 201
    yield found
    found.world.close()


def spec_of(folder: Path, texts: dict[str, str]) -> EndpointSpec:
    """Return the spec that the validator makes of a template's texts."""
    sources = {name: yaml12.parse(text, name) for name, text in texts.items()}
    pipeline = sources.pop("pipeline.yml", None)
    rendered = Rendered("mip", folder, sources.pop("endpoint.yml"), tuple(sources.values()), pipeline)
    return validation.validate_endpoint(rendered, ENVIRONMENT, "mip", folder)


def sent(entity: Any) -> Any:
    """Return the body that the SDK sends for an entity."""
    from azure.ai.ml._restclient.arm_ml_service._utils.model_base import SdkJSONEncoder

    return json.loads(json.dumps(entity, cls=SdkJSONEncoder, exclude_readonly=True))


def put(azure: Azure, spec: EndpointSpec, deployments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that an apply leaves."""
    from azure.ai.ml import load_online_deployment, load_online_endpoint

    path = f"{WORKSPACE}/onlineEndpoints/{spec.name}"
    facts: dict[str, Any] = {}
    entity = load_online_endpoint(io.StringIO(yaml.safe_dump(spec.document_for_put({}))))
    assert azure.send("PUT", path, sent(entity._to_rest_online_endpoint("eastus"))).status == 201
    azure.finish_operations()
    for name, document in deployments.items():
        deployment = load_online_deployment(io.StringIO(yaml.safe_dump(document)))
        answer = azure.send("PUT", f"{path}/deployments/{name}", sent(deployment._to_rest_object("eastus")))
        assert answer.status == 201, answer.content
        azure.finish_operations()
        facts[addr(f"deployment/mip/{name}")] = azure.send("GET", f"{path}/deployments/{name}").json
    return {**facts, addr("endpoint/mip"): azure.send("GET", path).json}


def deleted(azure: Azure, name: str) -> None:
    """Delete the endpoint and its deployments."""
    azure.send("DELETE", f"{WORKSPACE}/onlineEndpoints/{name}")
    azure.finish_operations()
