"""Invalid responses count as none: optional checks become unknown, required reads refuse the plan."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deploy.cloud import endpoints
from deploy.cloud.arm import Answer, Arm
from deploy.cloud.connect import CLOUDS, Cloud
from deploy.cloud.read_cache import ReadCache
from deploy.domain.arm import OWNER_TAG, RELEASE_TAG
from deploy.domain.plan import Step, Verb
from deploy.domain.traffic_shares import shares
from deploy.errors import Refused, Unanswered
from deploy.planning import observe, planner
from deploy.preflight.check_result import Verdict
from deploy.steps import STEP_TYPES
from tests.addresses import addr
from tests.unit.specs import OWNER, SIZE, environment, spec

MODEL = "azureml://registries/azureml/models/MedImageParse/versions/17"
OTHER = "azureml://registries/azureml/models/MedImageParse/versions/16"
HOME = "/subscriptions/sub"
WORKSPACE = f"{HOME}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
KIND = "Microsoft.MachineLearningServices/vmFamily/dedicatedCores"
FAMILY = "standardNCADSA100v4Family"


def usage(name: str, of: str, **numbers: int) -> dict[str, Any]:
    return {"id": f"{HOME}/{of}/{name}", "type": f"{KIND}/{of}", "name": {"value": name}, "unit": "Count", **numbers}


def version(number: str) -> dict[str, Any]:
    tags = {"inference_compute_allow_list": f"['{SIZE}']", "SharedComputeCapacityEnabled": ""}
    return {"name": number, "properties": {"tags": tags, "properties": {"inference-min-sku-spec": "6|1|64|64"}}}


ANSWERS: dict[str, Any] = {
    "/workspaces/ws": {"location": "eastus", "properties": {"storageAccount": f"{HOME}/storage"}},
    "/workspaces/ws/onlineEndpoints": {
        "value": [{"id": f"{HOME}/other", "name": "other", "properties": {"traffic": {}}, "tags": {}}]
    },
    "/roleAssignments": {
        "value": [
            {
                "id": f"{HOME}/providers/Microsoft.Authorization/roleAssignments/a",
                "name": "a",
                "properties": {"scope": HOME, "principalId": "p", "roleDefinitionId": f"{HOME}/d", "description": None},
            }
        ]
    },
    "/usages": {
        "value": [
            usage(FAMILY, "usages", currentValue=0, limit=96),
            usage("TotalDedicatedCores", "usages", currentValue=0, limit=300),
            {
                **usage(FAMILY, "usages", currentValue=0, limit=0),
                "id": f"{WORKSPACE}-of-others/usages/{FAMILY}",
                "type": "Microsoft.MachineLearningServices/workspaces/dedicatedCores/usages",
            },
        ]
    },
    "/quotas": {"value": [usage(FAMILY, "quotas", limit=96)]},
    "/vmSizes": {
        "value": [
            {
                "name": SIZE, "family": FAMILY, "vCPUs": 24, "gpus": 1, "memoryGB": 220.0, "maxResourceVolumeMB": 65536,
                "supportedComputeTypes": ["AmlCompute", "MIR"],
                "estimatedVMPrices": {"billingCurrency": "USD", "values": [
                    {"retailPrice": 3.67, "osType": "Linux", "vmTier": "Standard"}
                ]},
            }
        ]
    },
    "/discovery": {
        "primaryRegionResourceProviderUri": "https://eastus.example/", "subscriptionId": "s", "resourceGroup": "r",
        "registryName": "azureml",
    },
    "/MedImageParse/versions": {"value": [version("17")]},
    "/MedImageParse/versions/16": version("16"),
    "/checkNameAvailability": {"nameAvailable": True, "message": ""},
    "/permissions": {"value": [{"actions": ["*"], "notActions": []}]},
}  # fmt: skip
"""What is read before any change, by how its path ends, as Azure answers where nothing is in the way."""
OPEN: Mapping[str, str] = {
    "/usages": "quota",
    "/quotas": "quota",
    "/vmSizes": "quota",
    "/discovery": "model",
    "/MedImageParse/versions": "model",
    "/MedImageParse/versions/16": "model",
    "/checkNameAvailability": "limits",
    "/roleAssignments": "limits",
    "/permissions": "permission",
}
"""The check that needs a read; the plan needs the other reads."""


class Saying(Arm):
    """The answers that it is given, by how a path ends; anything else is not there."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers, self._cache = answers, ReadCache()

    def _send(self, _method: str, path: str, *_: Any, **__: Any) -> Answer:
        found = [end for end in self.answers if path.endswith(end)]
        return Answer(200, {}, self.answers[max(found, key=len)]) if found else Answer(404, {}, None)


class Told(Cloud):
    """A cloud with only these responses."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.environment, self.hosts, self.arm = environment(), CLOUDS["AzureCloud"], Saying(answers)
        self.root = Path()


def checks(answers: Mapping[str, Any]) -> dict[str, Step]:
    """All checks of two first releases, one with a model in its list; the first failing one for each step type."""
    found: dict[str, Step] = {}
    for model in (MODEL, OTHER):
        one = spec(pipeline={"roles": [{"role": "Reader", "scope": "workspace"}]}, model=model)
        facts = observe.observe(Told(answers), [one], STEP_TYPES)
        for step in planner.draft_release(environment(), [one], facts).steps:
            if step.verb is Verb.CHECK and (step.kind not in found or found[step.kind].body["verdict"] == "yes"):
                found[step.kind] = step
    return found


def verdicts(answers: Mapping[str, Any]) -> dict[str, str]:
    return {step_type: str(step.body["verdict"]) for step_type, step in checks(answers).items()}


QUIET = dict.fromkeys(("quota", "model", "limits", "permission"), Verdict.YES.value)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_documented_responses_are_accepted() -> None:
    """Or nothing would be shown by what follows."""
    assert verdicts(ANSWERS) == QUIET


LISTS = st.fixed_dictionaries({"value": JSON}) | st.fixed_dictionaries({"value": st.lists(JSON, min_size=1)})


@pytest.mark.parametrize("end", OPEN)
@settings(max_examples=40)
@given(answer=JSON | LISTS)
def test_an_invalid_response_makes_a_check_unknown(end: str, answer: Any) -> None:
    """Any other JSON makes the check unknown, and affects no other check."""
    assume(answer != {"value": []})
    found = checks({**ANSWERS, end: answer})

    assert {step_type: step.body["verdict"] for step_type, step in found.items()} == QUIET | {
        OPEN[end]: Verdict.UNKNOWN.value
    }
    assert "unknown: " in found[OPEN[end]].why


@pytest.mark.parametrize("end", sorted(ANSWERS.keys() - OPEN))
@settings(max_examples=40)
@given(answer=JSON)
def test_a_missing_required_read_refuses_the_plan(end: str, answer: Any) -> None:
    """An unreadable response refuses the plan."""
    with pytest.raises(Unanswered, match="differs from Azure's documentation") as refused:
        checks({**ANSWERS, end: answer})
    assert refused.value.code == "AML362"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """All trails inside a value, with their values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key), each
        yield from places(each, (*path, key))


def spoilt(value: Any, path: tuple[Any, ...], instead: Any) -> Any:
    """A copy with something else at one place, or without it if `instead` is ...."""
    whole = copy.deepcopy(value)
    above = whole
    for key in path[:-1]:
        above = above[key]
    if instead is ...:
        del above[path[-1]]
    else:
        above[path[-1]] = instead
    return whole


def kind(value: Any) -> type:
    return float if type(value) is int else type(value)


@pytest.mark.parametrize("end", ANSWERS)
def test_one_invalid_field_refuses_nothing(end: str) -> None:
    """A missing, null or wrong field makes the check unknown or changes nothing; it never refuses."""
    kinds = (..., None, True, 24, -0.5, "24", "", [], ["24"], {}, {"value": "24"})
    told, heard = [QUIET, QUIET | {OPEN.get(end, "limits"): Verdict.UNKNOWN.value}], 0
    for where, held in places(ANSWERS[end]):
        for instead in kinds:
            if kind(instead) is kind(held) or (instead is ... and isinstance(where[-1], int)):
                continue  # a smaller number or a shorter list is another answer of the same form
            heard += 1
            try:
                assert verdicts({**ANSWERS, end: spoilt(ANSWERS[end], where, instead)}) in told, (where, instead)
            except Unanswered:
                assert end not in OPEN, (where, instead)
    assert heard > 10


@pytest.mark.parametrize("link", [7, True, ["x"], {"href": "x"}, "x", "https://management.azure.com/x", "/x", " "])
def test_an_incomplete_list_makes_a_check_unknown(link: Any) -> None:
    """Half of a list is none. Of a model's versions the first page is all that is read."""
    for end, step_type in OPEN.items():
        if "value" in ANSWERS[end] and step_type != "model":
            answers = {**ANSWERS, end: {**ANSWERS[end], "nextLink": link}}
            assert verdicts(answers) == QUIET | {step_type: Verdict.UNKNOWN.value}, end


LIVE: dict[str, Any] = {
    **ANSWERS,
    "/workspaces/ws/onlineEndpoints": {
        "value": [
            {
                "id": f"{WORKSPACE}/onlineEndpoints/mip-ab", "name": "mip-ab", "location": "eastus", "kind": "Managed",
                "tags": {OWNER_TAG: OWNER, "team": "imaging"},
                "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
                "properties": {
                    "authMode": "Key", "description": "d", "provisioningState": "Succeeded",
                    "publicNetworkAccess": "Enabled", "scoringUri": "https://mip-ab.eastus.example/score",
                    "properties": {"a": "b"}, "traffic": {"blue": 100}, "mirrorTraffic": {"green": 10},
                },
            }
        ]
    },
    "/mip-ab/deployments": {
        "value": [
            {
                "id": f"{WORKSPACE}/onlineEndpoints/mip-ab/deployments/{name}", "name": name, "location": "eastus",
                "tags": {OWNER_TAG: OWNER, RELEASE_TAG: "r0", "team": "imaging"},
                "sku": {"name": "Default", "capacity": 1},
                "properties": {
                    "endpointComputeType": "Managed", "model": MODEL, "instanceType": SIZE,
                    "provisioningState": "Succeeded", "environmentVariables": {"A": "1"}, "properties": {"a": "b"},
                    "appInsightsEnabled": False, "egressPublicNetworkAccess": "Enabled", "environmentId": None,
                    "requestSettings": {"requestTimeout": "PT1M", "maxConcurrentRequestsPerInstance": 1},
                    "livenessProbe": {"initialDelay": "PT10M", "failureThreshold": 30},
                    "codeConfiguration": {"codeId": f"{WORKSPACE}/codes/c/versions/1", "scoringScript": "score.py"},
                    "scaleSettings": {"scaleType": "Default"},
                },
            }
            for name in ("blue", "green")
        ]
    },
}  # fmt: skip
"""The same with a managed endpoint that receives traffic."""


def changed(answers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a second release would change."""
    one = spec(release="r2", instance_count=2, environment_variables={"A": "2"})
    facts = observe.observe(Told(answers), [one], STEP_TYPES)
    return [(s.verb, s.address) for s in planner.draft_release(environment(), [one], facts).steps if s.changes]


def test_the_plan_uses_the_slots_of_an_existing_endpoint() -> None:
    """Or nothing would be shown by what follows."""
    assert ("update", addr("deployment/mip/green")) in changed(LIVE)


@pytest.mark.parametrize("end", sorted(LIVE.keys() - ANSWERS.keys() | {"/workspaces/ws/onlineEndpoints"}))
def test_one_invalid_field_is_not_a_bug(end: str) -> None:
    """Any value in an endpoint or a deployment leads to a plan or a refusal."""
    for where, _ in places(LIVE[end]):
        for instead in (..., None, True, 24, -0.5, "24", "", [], ["24"], {}, {"value": "24"}, {"blue": "24"}):
            if instead is ... and isinstance(where[-1], int):
                continue
            with contextlib.suppress(Unanswered, Refused):
                assert changed({**LIVE, end: spoilt(LIVE[end], where, instead)}), (where, instead)


def test_names_of_deployments_have_no_case() -> None:
    """Names in any case: reading one endpoint returns the same as listing all."""
    body = spoilt(LIVE["/workspaces/ws/onlineEndpoints"]["value"][0], ("properties", "traffic"), {"Blue": 100})
    cloud = Told({**LIVE, "/onlineEndpoints/mip-ab": body, "/workspaces/ws/onlineEndpoints": {"value": [body]}})

    assert endpoints.read_endpoint(cloud, "mip-ab") == endpoints.list_endpoints(cloud)["mip-ab"]
    assert shares(endpoints.read_endpoint(cloud, "mip-ab") or {}) == {"blue": 100}


def test_pages_that_lead_to_one_another_end() -> None:
    """An incomplete list makes the check unknown."""
    rounds = {**ANSWERS["/usages"], "nextLink": f"https://management.azure.com{HOME}/locations/eastus/usages"}

    assert verdicts({**ANSWERS, "/usages": rounds}) == QUIET | {"quota": Verdict.UNKNOWN.value}
