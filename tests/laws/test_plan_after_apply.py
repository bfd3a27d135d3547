"""Law: the plan after an apply is empty, for every possible document.

The documents pass the validator, the SDK's own entities, the emulator's PUT and GET, and the planner, without HTTP, so
that hundreds take little time: 120, or 500 with `--laws full`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import diff
from deploy.domain.put_merge import AZURE_VARIABLES
from deploy.planning import planner, slots
from tests.addresses import addr
from tests.laws.made import ENVIRONMENT, deleted, open_azure, put, spec_of, text_of
from tests.unit.emulator.azure import Azure
from tests.written import DEPLOYMENTS, ENDPOINTS

EXAMPLES = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with open_azure(tmp_path_factory) as found:
        yield found


def test_plan_after_apply_is_empty(azure: Azure, pytestconfig: pytest.Config) -> None:
    """For any document: Azure then holds the desired content, and the two spellings are one document."""
    full = pytestconfig.getoption("--laws") == "full"

    @settings(EXAMPLES, max_examples=500 if full else 120)
    @given(ENDPOINTS, DEPLOYMENTS, st.sampled_from(["blue_green", "in_place"]))
    def promise(endpoint: dict[str, Any], deployment: dict[str, Any], strategy: str) -> None:
        _applied_then_planned(azure, endpoint, deployment, strategy)

    promise()


def _applied_then_planned(azure: Azure, endpoint: dict[str, Any], deployment: dict[str, Any], strategy: str) -> None:
    texts = {
        "endpoint.yml": text_of({"name": "mip", **endpoint}),
        "deployment.yml": text_of({"name": "blue", "endpoint_name": "mip", **deployment}),
        "pipeline.yml": text_of({"rollout": {"strategy": strategy}}),
    }
    spec = spec_of(Path(), texts)
    wanted = slots.choose_slot(spec, {})
    facts = put(azure, spec, wanted.deployments)
    facts[addr("endpoint/mip")]["properties"]["traffic"] = {"blue": 100}
    deleted(azure, "mip")
    held = facts[addr("deployment/mip/blue")]["properties"]
    # As the service does for a deployment with code.
    held["environmentVariables"] = dict.fromkeys(AZURE_VARIABLES, "/var/azureml-app") | held["environmentVariables"]

    assert planner.plan_release(ENVIRONMENT, [spec], {"mip": facts}).steps == ()
    for where, table in ((addr("endpoint/mip"), diff.ENDPOINT), (addr("deployment/mip/blue"), diff.DEPLOYMENT)):
        assert diff.changes(diff.to_document(facts[where], table), facts[where], table) == ()
