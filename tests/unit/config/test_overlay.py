"""`pipeline` of an entry is merged over the template's pipeline.yml, and problems name the right file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy import commands
from deploy.config import overlay
from deploy.documents import yaml12
from deploy.documents.json_schema import schema
from deploy.documents.locations import Node
from deploy.domain.spec import EndpointSpec
from deploy.errors import SpecError
from tests.unit.config.test_validation import DEPLOYMENT, ENDPOINT, ENVIRONMENT_FILE

PIPELINE = """\
roles: [{role: AcrPull, scope: workspace_registry}]
probe: {type: http, max_seconds: 2s}
rollout: {strategy: blue_green, stages: [10, 100], bake: "{{ values.bake }}"}
retry: {attempts: 3}
"""


def specs(root: Path, pipeline: str, template: str | None = PIPELINE) -> EndpointSpec:
    """The spec of an entry with `pipeline`; raises SpecError."""
    folder = root / "templates" / "m"
    folder.mkdir(parents=True)
    (root / "environments").mkdir()
    for name, text in {"endpoint.yml": ENDPOINT, "deployment.yml": DEPLOYMENT, "pipeline.yml.j2": template}.items():
        if text is not None:
            (folder / name).write_text(text)
    entry = f"values: {{bake: 1m}}\nendpoints:\n  mip:\n    template: m\n    pipeline: {pipeline}\n"
    (root / "environments" / "d.yml").write_text(ENVIRONMENT_FILE + (entry if template else entry.partition("\n")[2]))
    return commands.validate(commands.Project(root), "d")[1][0]


def problems(root: Path, pipeline: str, template: str | None = PIPELINE) -> list[str]:
    """`place code cause cure` of each problem; the line is relative to that of `pipeline` in the environment file."""
    with pytest.raises(SpecError) as caught:
        specs(root, pipeline, template)
    lines = (root / "environments/d.yml").read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if line.startswith("    pipeline:"))
    found = []
    for each in caught.value.problems:
        where = f"{each.place}".replace(f"d.yml:{at}:", "d.yml:PIPELINE:")
        found.append(f"{where} {each.code} {each.cause} {each.cure}")
    return found


def test_mappings_are_merged_and_lists_replaced(tmp_path: Path) -> None:
    """What the entry does not name stays as the template has it, also a value of an expression."""
    over = "{rollout: {stages: [5, 50, 100]}, roles: [], retry: null, probe: {max_seconds: null, attempts: 2}}"
    found = specs(tmp_path, over).pipeline
    assert (found.rollout.stages, found.rollout.bake) == ((5, 50, 100), 60.0)
    assert found.roles == ()
    assert found.retry.attempts == 6
    assert (found.probe.type, found.probe.max_seconds, found.probe.attempts) == ("http", None, 2)


@pytest.mark.parametrize("over", ["{probe: null}", "{probe: {from: none}}"])
def test_a_probe_can_be_switched_off(tmp_path: Path, over: str) -> None:
    """In one environment, for example because its runner cannot reach the endpoint."""
    assert specs(tmp_path, over).pipeline.probe is None


def test_a_template_needs_no_pipeline_file(tmp_path: Path) -> None:
    """The entry's is then all."""
    assert specs(tmp_path, "{rollout: {stages: [50, 100]}}", template=None).pipeline.rollout.stages == (50, 100)


@pytest.mark.parametrize(
    ("over", "found"),
    [
        (
            "{rollout: {stages: [10, x]}}",
            "environments/d.yml:PIPELINE:39 AML122 rollout.stages.1 must be a whole number",
        ),
        (
            "{rollout: {stage: [10]}}",
            "environments/d.yml:PIPELINE:26 AML120 'stage' is not a key here. Did you mean stages",
        ),
        ("{rollout: 3}", "environments/d.yml:PIPELINE:25 AML122 rollout must be a mapping"),
        ("{retri: {}}", "environments/d.yml:PIPELINE:16 AML120 'retri' is not a key here. Did you mean retry?"),
        (
            "{rollout: {bake: $B}}",
            "environments/d.yml:PIPELINE:32 AML117 '$B' was not replaced by a value. Write the val",
        ),
        ("{rollout: {bake: '{{ values.bake }}'}}", "environments/d.yml:PIPELINE:32 AML117 '{{ values.bake }}' was not"),
        (
            "{probe: {type: medimageparse}}",
            "environments/d.yml:PIPELINE:23 AML121 A probe of type medimageparse needs 'image'",
        ),
        ("3", "environments/d.yml:PIPELINE:15 AML122 endpoints.mip.pipeline must be a mapping; it is a number"),
    ],
)
def test_a_problem_of_the_entry_names_the_environment_file(tmp_path: Path, over: str, found: str) -> None:
    """With line and column."""
    (first, *_) = problems(tmp_path, over)
    assert first.startswith(found), first


def test_a_problem_of_the_template_names_the_template(tmp_path: Path) -> None:
    """Also when the entry changes the same mapping; what the entry replaces is no problem any more."""
    wrong = "rollout:\n  bake: soon\n  stages: [x]\n"
    (only,) = problems(
        tmp_path, "{rollout: {stages: [100], keep_previous: 1h}}", f"{wrong}  keep_previous: {{{{ values.bake }}}}\n"
    )
    assert only.startswith("templates/m/pipeline.yml.j2:2:9 AML122 rollout.bake")


def test_text_of_a_probe_can_contain_anything(tmp_path: Path) -> None:
    """As in pipeline.yml."""
    found = specs(tmp_path, "{probe: {type: http, answer: {const: '<none> of ${X}'}}}").pipeline
    assert found.probe.answer == {"const": "<none> of ${X}"}


def test_a_secret_is_not_printed(tmp_path: Path) -> None:
    """Not even when it is the wrong value."""
    token = "ghp_" + "x1" * 18
    (only,) = problems(tmp_path, f"{{quota: {{capacity: {token}}}}}")
    assert only.startswith("environments/d.yml:PIPELINE:34 AML122 quota.capacity is '(hidden)'"), only


VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def expected(base: Any, over: Any) -> Any:
    if not isinstance(over, dict):
        return over
    old = base if isinstance(base, dict) else {}
    changed = {key: expected(old.get(key), value) for key, value in over.items() if value is not None}
    return {key: value for key, value in {**old, **changed}.items() if not (key in over and over[key] is None)}


def nodes(node: Node) -> list[Node]:
    return [node, *(each for child in node.children.values() for each in nodes(child))]


@given(MAPPINGS, MAPPINGS)
def test_any_two_mappings_are_merged(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Values and nodes agree, and every value and key names a place where it was written."""
    sources = {name: yaml12.parse(yaml.safe_dump(value), name) for name, value in (("base", base), ("over", over))}
    found = overlay.merged(sources["base"].root, sources["over"].root)
    assert found.value == expected(base, over)
    assert {key: found.keys[key].file for key in found.value} == {
        k: "over" if k in over else "base" for k in found.value
    }
    lines = {name: yaml.safe_dump(value).splitlines() for name, value in (("base", base), ("over", over))}
    for node in nodes(found):
        if isinstance(node.value, dict):
            assert node.value == {key: child.value for key, child in node.children.items()}
            for key in node.value:
                place = node.keys[key]
                assert lines[place.file][place.line - 1][place.column - 1 :].startswith(key)
        elif not isinstance(node.value, list):
            text = lines[node.place.file][node.place.line - 1][node.place.column - 1 :]
            assert text.startswith(json.dumps(node.value).strip('"') if node.value != "b" else "b")


@pytest.mark.parametrize(
    ("pipeline", "valid"),
    [
        ({"rollout": {"stages": [100], "bake": None}, "probe": None, "quota": {"capacity": "shared"}}, True),
        ({"probe": {"max_seconds": "2s"}, "scale": {}}, True),
        ({"roles": [{"role": "AcrPull", "scope": "workspace"}]}, True),
        ({"roles": [{"scope": "workspace"}]}, False),
        ({"rollout": {"stage": [100]}}, False),
        ({"probe": {"max_seconds": "{{ values.x }}"}}, False),
    ],
)
def test_editors_get_the_keys_of_the_pipeline(pipeline: Any, valid: bool) -> None:
    """The schema of an environment file knows them; nothing is required except in items of lists."""
    document = {**yaml.safe_load(ENVIRONMENT_FILE), "endpoints": {"mip": {"template": "m", "pipeline": pipeline}}}
    assert jsonschema.Draft202012Validator(schema("environment")).is_valid(document) is valid
