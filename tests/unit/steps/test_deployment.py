"""The deployment step type: what a plan says of a release that goes next to the live one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy import diff, reporter
from deploy.domain.plan import Step
from deploy.domain.put_merge import is_ours
from deploy.planning import planner
from deploy.reporter import wording
from tests.addresses import addr
from tests.laws.ground import put
from tests.table import SAMPLES
from tests.unit.specs import deployment_body, endpoint_body, environment, facts, spec


def made_beside(live: dict[str, Any], other: dict[str, Any] | None = None, **document: Any) -> Step:
    """The step that makes a new release next to `live`."""
    there = facts(endpoint_body({"blue": 100}), tuple(filter(None, (live, other))))
    plan = planner.plan_release(environment(), [spec(release="r2", **document)], {"mip": there})
    (step,) = [step for step in plan.steps if step.address == addr("deployment/mip/green")]
    return step


def test_a_removal_lists_what_it_removes() -> None:
    """Probe settings, a variable, app insights: each with the value that the live deployment has."""
    live = deployment_body("blue")
    live["properties"] |= {
        "livenessProbe": {"initialDelay": "PT10M"},
        "environmentVariables": {"HF_ENDPOINT": "x", "AML_APP_ROOT": "/"},
        "appInsightsEnabled": True,
        "dataCollector": {"collections": {"request": {"dataCollectionMode": "Enabled"}}},
    }
    live["tags"]["team"] = "a"
    said = {
        "liveness_probe.initial_delay 600 -> (default)",
        "environment_variables.HF_ENDPOINT x -> (removed)",
        "app_insights_enabled true -> (default)",
        "data_collector.collections.request.enabled True -> (removed)",
        "tags.team a -> (removed)",
    }
    step = made_beside(live)
    listed = {f"{c['path']} {reporter.format_change(c['path'], c['before'], c['after'])}" for c in step.body["changes"]}
    assert said == {each for each in listed if "amldeploy-release" not in each}

    step = made_beside(live, deployment_body("green", release="r0"))
    assert set(step.why.removesuffix(", next to blue").split(", ")) == said


ROWS = [row for row in diff.DEPLOYMENT if not row.asset_tag and row.yaml != "instance_type"]


@given(st.sets(st.sampled_from(ROWS)), st.data())
def test_every_field_that_differs_is_listed(rows: set[diff.Field], data: st.DataObject) -> None:
    """Whatever the live deployment has and the files have not, or have otherwise, is listed with its path."""
    live, document = deployment_body("blue"), {}
    expected = set()
    for row in sorted(rows, key=lambda row: row.yaml):
        one, other = SAMPLES[row.yaml]
        put(live, row.arm, one.arm)
        if data.draw(st.booleans(), label=row.yaml) or row.yaml == "instance_count":
            put(document, row.yaml, other.yaml)
            expected.add(row.yaml)
        elif one.yaml not in row.service_defaults and not row.yaml.startswith("data_collector"):
            expected.add(row.yaml)
    if "collections" not in document.get("data_collector", {"collections": {}}):
        document["data_collector"]["collections"] = {"k": {"enabled": "True"}}
    listed = {c["path"] for c in made_beside(live, **document).body["changes"]}

    assert {path.replace("*", "k") for path in expected} <= listed | {"private_network_connection"}
    assert not any(is_ours(path.partition(".")[2]) for path in listed if path != "tags.amldeploy-release")


def inline(number: int) -> dict[str, Any]:
    packages = ["python=3.11", f"numpy={number}", {"pip": [f"torch=={number}"]}]
    return {"image": f"i:{number}", "conda_file": {"dependencies": packages}}


OLD, NEW = inline(1), inline(2)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (
            {"image": "i:1", "condaFile": yaml.safe_dump(OLD["conda_file"])},
            {
                ("environment.image", "i:1", "i:2"),
                (
                    "environment.conda_file.dependencies",
                    '["numpy=1", "pip: torch==1"]',
                    '["numpy=2", "pip: torch==2"]',
                ),
            },
        ),
        ({"image": "i:2", "condaFile": yaml.safe_dump(NEW["conda_file"], default_flow_style=True)}, set()),
        (
            {
                "image": "i:2",
                "condaFile": yaml.safe_dump({**NEW["conda_file"], "channels": ["a"]}),
                "inferenceConfig": {"livenessRoute": {"port": 80, "path": "/"}},
                "osType": "Linux",
            },
            {
                ("environment.conda_file.channels", '["a"]', "(default)"),
                ("environment.inference_config.liveness_route.port", "80", "(default)"),
                ("environment.inference_config.liveness_route.path", "/", "(default)"),
            },
        ),
        (
            {"image": "i:2", "condaFile": ": no: yaml: ["},
            {("environment.conda_file.dependencies", "(none)", '["python=3.11", "numpy=2", "pip: torch==2"]')},
        ),
    ],
)
def test_changes_of_an_inline_environment_are_in_the_reason(
    held: dict[str, Any], said: set[tuple[str, str, str]]
) -> None:
    """Each field of the environment, and the packages that come and go, against the version that is live."""
    live = deployment_body("blue")
    live["properties"]["environmentId"] = "/subscriptions/s/x/environments/e/versions/1"
    there = facts(endpoint_body({"blue": 100}), (live,))
    there[addr("asset/mip/blue")] = {"held": held, "unread_reason": "", "conda": {"blue": NEW["conda_file"]}}
    plan = planner.plan_release(environment(), [spec(release="r2", environment=NEW)], {"mip": there})
    (step,) = [step for step in plan.steps if step.address == addr("deployment/mip/green")]

    assert {change for change in wording.changes(step) if change[0].startswith("environment")} == said
