"""Law: names of tags, properties and variables are data. Whatever they are, a plan exists, and the plan after apply is
empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import diff, reporter
from deploy.errors import SpecError
from deploy.planning import planner, slots
from tests.addresses import addr
from tests.laws.made import ENVIRONMENT, deleted, open_azure, put, spec_of, text_of
from tests.unit.emulator.azure import Azure
from tests.written import DEPLOYMENTS

EXAMPLES = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
ODD = st.text(st.sampled_from("*.aA-_é \"'[]{}:#=~$@,\x85\u2028/%"), min_size=1, max_size=4)
MAPS = st.dictionaries(ODD | st.sampled_from(["*", "a", "A", "<<", "null", "1"]), st.sampled_from("12"), max_size=4)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with open_azure(tmp_path_factory) as found:
        yield found


def spelled(held: dict[str, Any]) -> bool:
    return len({name.lower() for name in held}) == len(held)


@EXAMPLES
@given(MAPS, MAPS, MAPS, MAPS, DEPLOYMENTS)
def test_any_name_is_planned(
    azure: Azure,
    first: dict[str, str],
    second: dict[str, str],
    third: dict[str, str],
    more: dict[str, str],
    document: Any,
) -> None:
    """A name is refused with its position, or applied: then the plan is empty. Odd names that others add are shown as
    they are.
    """
    maps = {"tags": first, "properties": second, "environment_variables": third}
    texts = {
        "endpoint.yml": text_of({"name": "mip", "tags": first, "properties": second}),
        "deployment.yml": text_of({"name": "blue", "endpoint_name": "mip", **document, **maps}),
    }
    refused = any(set(name) & set("%/<") or not name.strip() for name in first)
    if refused or not (spelled(first) and spelled(second)):
        with pytest.raises(SpecError, match=r"AML138|AML141"):
            spec_of(Path(), texts)
        return
    spec = spec_of(Path(), texts)
    facts = put(azure, spec, slots.choose_slot(spec, {}).deployments)
    facts[addr("endpoint/mip")]["properties"]["traffic"] = {"blue": 100}
    deleted(azure, "mip")

    assert planner.plan_release(ENVIRONMENT, [spec], {"mip": facts}).steps == ()
    held = facts[addr("deployment/mip/blue")]["properties"]["environmentVariables"]
    held |= more
    plan = planner.plan_release(ENVIRONMENT, [spec], {"mip": facts})
    wanted = {f"environment_variables.{name}" for name in more if third.get(name) != more[name]}
    assert {c["path"] for step in plan.steps for c in step.body.get("changes") or ()} == wanted
    assert reporter.plan_text(plan)
    facts[addr("endpoint/mip")]["tags"] |= {"*": "x", "a.b": "y"}
    assert isinstance(diff.to_document(facts[addr("endpoint/mip")], diff.ENDPOINT), dict)


@pytest.mark.parametrize(
    ("tags", "code", "cause"),
    [
        ({"A": "1", "a": "2"}, "AML138", "tags has 'A' and 'a', which are one name in Azure"),
        ({"a/b": "1"}, "AML141", "The name of the tag 'a/b' contains '/'"),
        ({"": "1"}, "AML141", "has 0 characters"),
        ({"k" * 513: "1"}, "AML141", "has 513 characters"),
        ({"k": "v" * 257}, "AML141", "has 257 characters; the maximum is 256"),
        ({f"k{number}": "1" for number in range(41)}, "AML141", "There are 41 tags; the maximum is 40"),
    ],
)
@pytest.mark.parametrize("what", ["endpoint", "deployment"])
def test_tags_that_azure_refuses_are_refused_offline(tags: dict[str, str], code: str, cause: str, what: str) -> None:
    """Each with the file and line of the name."""
    needed = {"model": "azureml:m:1", "instance_type": "Standard_DS3_v2", "instance_count": 1}
    documents: dict[str, Any] = {
        "endpoint": {"name": "mip"},
        "deployment": {"name": "blue", "endpoint_name": "mip"} | needed,
    }
    documents[what]["tags"] = tags
    with pytest.raises(SpecError) as caught:
        spec_of(Path(), {f"{name}.yml": text_of(document) for name, document in documents.items()})
    (found,) = caught.value.problems

    assert (found.code, found.place.file) == (code, f"{what}.yml")
    assert cause in found.cause
