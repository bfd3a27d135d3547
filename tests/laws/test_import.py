"""Law: imported files describe the existing endpoint. Whatever another client created, the plan of its files
is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.config import files_from_endpoint, rendering, validation
from deploy.documents import yaml12
from deploy.documents.locations import TemplateFiles
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG
from deploy.domain.spec import EndpointSpec
from deploy.planning import planner
from tests.addresses import addr
from tests.laws.made import ENVIRONMENT, deleted, open_azure, put, spec_of, text_of
from tests.unit.emulator.azure import Azure
from tests.written import DEPLOYMENTS, ENDPOINTS

SECRETS = st.sampled_from(
    ["", "hunter2hunter2", "sk-0123456789abcdef", "{{ braces }} {% and %} more", "${{keyvault:x}}"]
)
NAMES = st.lists(st.sampled_from(["blue", "green", "main", "a-1"]), min_size=1, max_size=2, unique=True)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with open_azure(tmp_path_factory) as found:
        yield found


@settings(
    max_examples=40,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(ENDPOINTS, DEPLOYMENTS, NAMES, st.integers(0, 100), SECRETS)
def test_import_then_plan_is_empty(
    azure: Azure, endpoint: dict[str, Any], deployment: dict[str, Any], names: list[str], share: int, secret: str
) -> None:
    """Nothing is planned, the owner is noted, and no file contains a secret."""
    variables = {**deployment.get("environment_variables", {}), "API_KEY": secret}
    documents = {n: {**deployment, "environment_variables": variables, "name": n, "instance_count": 2} for n in names}
    texts = {"endpoint.yml": text_of({"name": "mip", **endpoint})} | {
        f"deployments/{name}.yml": text_of({**document, "endpoint_name": "mip"}) for name, document in documents.items()
    }
    made = spec_of(Path(), texts)
    facts = put(azure, made, {str(document["name"]): document for document in made.deployments})
    deleted(azure, "mip")
    shares = [100] if len(names) == 1 else [share, 100 - share]
    facts[addr("endpoint/mip")]["properties"]["traffic"] = dict(zip(names, shares, strict=True))
    for body in facts.values():
        body["tags"] = {name: value for name, value in body["tags"].items() if name not in (OWNER_TAG, RELEASE_TAG)}
    bodies = [facts[addr(f"deployment/mip/{name}")] for name in names]
    facts[addr("role/mip/Reader/workspace")] = {"id": "/r", "assigned_by": "others"}
    roles = [{"role": "Reader", "scope": "workspace"}]
    files = files_from_endpoint.files_of(facts[addr("endpoint/mip")], bodies, roles)
    plan = planner.plan_release(ENVIRONMENT, [_spec(files, secret)], {"mip": facts})

    assert plan.steps == ()
    assert "is not managed by amldeploy and will not be changed" in plan.notes[0]
    assert all(
        secret not in text for text in files.files.values() if secret in ("hunter2hunter2", "sk-0123456789abcdef")
    )


def _spec(made: files_from_endpoint.Imported, secret: str) -> EndpointSpec:
    """The imported template, rendered with the values that were left open."""
    values = {name: secret for name, where in made.hidden.items() if "API_KEY" in where}
    stems = sorted(name for name in made.files if "deployment" in name)
    (endpoint,) = (name for name in made.files if name.startswith("endpoint"))
    files = TemplateFiles("t", Path(), endpoint, tuple(stems), "pipeline.yml", made.files.get)
    node = yaml12.parse(text_of(values), "values").root
    return validation.validate_endpoint(
        rendering.render_endpoint(files, ENVIRONMENT, "mip", node), ENVIRONMENT, "mip", Path()
    )
