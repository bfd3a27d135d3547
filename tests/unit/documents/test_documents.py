"""The models and the schemas that editors get: one source, always in step."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from deploy.documents.fields import Duration
from deploy.documents.json_schema import MODELS, schema
from deploy.documents.pipeline import Pipeline
from tests.project import ROOT

DEPLOYMENT: dict[str, Any] = {
    "name": "blue",
    "endpoint_name": "mip-abc",
    "model": "azureml:m:1",
    "instance_type": "Standard_DS3_v2",
    "instance_count": 1,
}


def fits(name: str, document: Any) -> bool:
    return jsonschema.Draft202012Validator(schema(name)).is_valid(document)


@pytest.mark.parametrize("name", MODELS)
def test_the_written_schema_is_up_to_date(name: str) -> None:
    """`scripts/schemas` was run after the last change of a model."""
    written = json.loads((ROOT / "deploy" / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    assert written == schema(name)


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_is_one(name: str) -> None:
    """It is draft 2020-12, closed, and has a title and a description."""
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["additionalProperties"] is False
    assert found["title"] == f"amldeploy {name} file"
    assert found["description"]


def keys(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`Definition.key` -> the schema of each key, also of definitions and of mappings inside."""
    parts = {"": found, **{f"{name}.": part for name, part in found.get("$defs", {}).items()}}
    if name := found.get("$defs", {}).get("EntryDocument"):
        parts["pipeline."] = name["properties"]["pipeline"]
    return {f"{at}{key}": value for at, part in parts.items() for key, value in part.get("properties", {}).items()}


@pytest.mark.parametrize("name", MODELS)
def test_every_key_has_a_description_and_an_example(name: str) -> None:
    """An editor shows both. The example is valid for its key."""
    found = schema(name)
    for key, part in keys(found).items():
        assert part.get("description"), key
        assert part.get("examples"), key
        for example in part["examples"]:
            validator = jsonschema.Draft202012Validator({**part, "$defs": found.get("$defs", {})})
            assert validator.is_valid(example), (key, example)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("deployment", {**DEPLOYMENT, "instance_count": "{{ values.n }}", "app_insights_enabled": "{{ values.on }}"}),
        ("deployment", {**DEPLOYMENT, "request_settings": {"request_timeout_ms": "{{ values.t }}"}}),
        ("deployment", {**DEPLOYMENT, "environment_variables": "{{ values.env }}", "model": "{{ values.model }}"}),
        ("endpoint", {"name": "{{ endpoint }}-{{ unique(5) }}", "auth_mode": "{{ values.auth }}"}),
        ("endpoint", {"name": "mip", "traffic": {"blue": "{{ values.share }}"}}),
        ("pipeline", {"rollout": {"stages": [10, "{{ values.last }}"], "bake": "{{ values.bake }}"}}),
        ("pipeline", {"roles": "{{ values.roles }}"}),
    ],
)
def test_an_expression_is_valid_for_each_field(name: str, document: Any) -> None:
    """The editor accepts a template where a number, a word or a list belongs."""
    assert fits(name, document)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("deployment", {**DEPLOYMENT, "instance_count": "one"}),
        ("deployment", {**DEPLOYMENT, "instance_count": 0}),
        ("deployment", {**DEPLOYMENT, "instances": 1}),
        ("endpoint", {"name": "a--b"}),
        ("endpoint", {"name": "mip", "auth_mode": "keys"}),
        ("endpoint", {"name": "mip", "identity": {"type": "user_assigned", "user_assigned_identities": ["x"]}}),
        ("pipeline", {"rollout": {"bake": "5 minutes"}}),
        ("pipeline", {"probe": {}}),
        ("environment", {"cloud": "local"}),
        ("environment", {"cloud": "{{ x }}", "subscription_id": "x", "resource_group": "r", "workspace": "w"}),
    ],
)
def test_the_editor_marks_what_is_wrong(name: str, document: Any) -> None:
    """A typing error is seen while typing."""
    assert not fits(name, document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.sampled_from(["x", "blue", "key", "90s", "1 h"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "path", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.sampled_from(["endpoint", "deployment", "pipeline"]), st.data())
def test_editor_and_tool_agree(name: str, data: st.DataObject) -> None:
    """What the model takes, the schema takes, and the other way round."""
    base = {"endpoint": {"name": "mip"}, "deployment": DEPLOYMENT, "pipeline": {}}[name]
    key = data.draw(st.sampled_from(sorted(MODELS[name].model_json_schema()["properties"])))
    document = {**base, key: data.draw(JSON)}
    try:
        MODELS[name].model_validate({name: value for name, value in document.items() if value is not None})
    except ValidationError:
        right = False
    else:
        right = True
    assert fits(name, document) is right


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("250ms", 0.25), (7, 7), (0.5, 0.5), ("0s", 0)]
)
def test_durations(written: object, seconds: float) -> None:
    """A number and a unit, or bare seconds."""
    assert TypeAdapter(Duration).validate_python(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["5", "m", "-1s", "5 min", "1h30m", True, -1, float("nan"), float("inf"), None, [1]]
)
def test_what_is_no_duration(written: object) -> None:
    """Everything else is refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(written)


def test_a_pipeline_has_defaults() -> None:
    """Every key is optional."""
    found = Pipeline()
    assert (found.quota.capacity, found.rollout.strategy, found.rollout.stages) == ("dedicated", "blue_green", (100,))
    assert (found.retry.attempts, found.retry.deadline, found.probe, found.roles) == (6, 1800, None, ())
