"""Files for `az ml` mean the same to amldeploy and to azure-ai-ml, which loads the same text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import load_online_deployment, load_online_endpoint

from deploy.cloud import sdk_entities
from deploy.config import validation
from deploy.documents import yaml12
from deploy.documents.locations import Rendered
from deploy.domain.spec import EndpointSpec
from deploy.errors import SpecError
from tests.unit.config.test_validation import DEPLOYMENT, ENDPOINT, ENVIRONMENT, key_of

ENDPOINTS = [
    "auth_mode: Key",
    "auth_mode: KEY",
    "auth_mode: AADToken",
    "auth_mode: AML_TOKEN",
    "identity: {type: SystemAssigned}",
    "identity: {type: NONE}",
    "public_network_access: Disabled",
    "traffic: {BLUE: '100'}",
    "traffic: {Blue: 100}",
    "mirror_traffic: {Blue: '0'}",
    "name: MIP-Abc",
    "id: x\nscoring_uri: https://x\nopenapi_uri: https://x\nprovisioning_state: x\nlocation: eastus\nkind: Managed",
    "x: 1",
    "auth_mode: Keys",
]
DEPLOYMENTS = [
    "instance_count: '2'",
    "instance_count: '+2'",
    "instance_count: two",
    "app_insights_enabled: 'true'",
    "app_insights_enabled: yes",
    "app_insights_enabled: 'Off'",
    "app_insights_enabled: 1",
    "app_insights_enabled: maybe",
    "egress_public_network_access: DISABLED",
    "type: Managed",
    "scale_settings: {type: Default}",
    "request_settings: {request_timeout_ms: '90000', max_concurrent_requests_per_instance: '3'}",
    "liveness_probe: {initial_delay: '600'}",
    "data_collector: {sampling_rate: '0.5', rolling_rate: MINUTE, collections: {a: {enabled: 'True'}}}",
    "name: BLUE",
    "id: x\nprovisioning_state: Succeeded",
    "environment_variables: &e {A: x}\ntags: {<<: *e, B: y}",
    "readiness_probe: &p {initial_delay: 20, period: 5}\nliveness_probe:\n  <<: *p\n  period: 7",
]


def spec(endpoint: str, deployment: str) -> EndpointSpec:
    sources = (
        yaml12.parse(text, f"templates/m/{name}.yml")
        for text, name in ((endpoint, "endpoint"), (deployment, "deployment"))
    )
    first, second = sources
    rendered = Rendered("mip", Path("/nowhere"), first, (second,), None)
    return validation.validate_endpoint(rendered, ENVIRONMENT, "mip", Path("/nowhere"))


def replaced(text: str, lines: str) -> str:
    return "\n".join([*(old for old in text.splitlines() if key_of(old) != key_of(lines)), lines, ""])


def state(entity: Any) -> Any:
    """What an entity holds, as azure-ai-ml writes it, without what is kept elsewhere and what only Azure sets."""
    omitted = ("traffic", "mirror_traffic", "id", "location", "openapi_uri", "provisioning_state", "scoring_uri")
    return {
        key: value for key, value in entity._to_dict().items() if key not in omitted and value not in (None, {}, [])
    }


def read_by_both(load: Any, text: str, files: tuple[str, str]) -> tuple[Any, Any] | None:
    """A file as azure-ai-ml and as this project read it; None if both refuse it."""
    try:
        loaded = load(io.StringIO(text))
    except Exception:  # noqa: BLE001 azure-ai-ml raises many classes
        with pytest.raises(SpecError):
            spec(*files)
        return None
    return loaded, spec(*files)


@pytest.mark.parametrize("lines", ENDPOINTS)
def test_an_endpoint_file_means_the_same(lines: str) -> None:
    """Both accept it and read the same, or both refuse it."""
    text = replaced(ENDPOINT, lines)
    if (read := read_by_both(load_online_endpoint, text, (text, DEPLOYMENT))) is None:
        return
    loaded, found = read
    assert state(sdk_entities.load_endpoint(found.endpoint)) == state(loaded)
    for theirs, own in ((loaded.traffic, found.traffic), (loaded.mirror_traffic, found.endpoint.get("mirror_traffic"))):
        assert (own or {}) == {key.lower(): value for key, value in (theirs or {}).items()}


@pytest.mark.parametrize("lines", DEPLOYMENTS)
def test_a_deployment_file_means_the_same(lines: str) -> None:
    """Both accept it and read the same, or both refuse it."""
    text = replaced(DEPLOYMENT, lines)
    if (read := read_by_both(load_online_deployment, text, (ENDPOINT, text))) is None:
        return
    loaded, found = read
    (document,) = found.deployments
    ours = sdk_entities.load_deployment(document, Path("/nowhere"), lambda _: {})
    assert state(ours) == state(loaded)
