"""Private endpoints before any change: whether the machine that probes reaches them, and what an endpoint without a
probe needs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import commands, emulator
from deploy.errors import Refused
from deploy.preflight.check_result import Verdict
from tests.contract.test_preflight import MODEL, SIZE, project
from tests.laws.stage import Ahead

PROBE = "probe: {type: http, body: request.json, attempts: 1, status: 424}\n"
NONE = "probe: {from: none}\n"


def private(folder: Path, network: str, pipeline: str = PROBE, **world: Any) -> commands.Project:
    """A project with one private endpoint, seen from inside or outside its network."""
    made = project(folder, ["mip"], {"settings": {"caller_network": network}, **world}, pipeline=pipeline)
    template = made.root / "templates" / "plain"
    (template / "request.json").write_text("{}")
    endpoint = template / "endpoint.yml.j2"
    endpoint.write_text(endpoint.read_text() + "public_network_access: disabled\n")
    return replace(made, clock=Ahead())


def refusal(made: commands.Project) -> str:
    with pytest.raises(Refused) as refused:
        commands.plan(made, "here")
    [finding] = refused.value.findings
    assert (finding.code, finding.address) == ("AML266", "network/mip")
    assert not any(row["mutating"] for row in emulator.requests(made.state))
    return finding.cause


def test_outside_the_network_a_probe_refuses_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new endpoint: refused before it exists; doctor says the same, and a plan for another machine has a note."""
    made = private(tmp_path, "outside")
    assert "the probe runs from this machine, which does not reach 127.0.0.1: it resolves to the public" in refusal(
        made
    )
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("RUNNER_ENVIRONMENT", "github-hosted")
    assert "the probe runs from this GitHub-hosted runner" in refusal(made)
    [line] = [each for each in commands.doctor(made, "here").lines if each.subject == "network/mip"]
    assert line.verdict is Verdict.NO
    [note] = [each for each in commands.plan(made, "here", for_another=True).notes if "must reach" in each]
    assert note.startswith("The machine that applies this must reach network/mip: public_network_access is disabled")


def test_an_existing_endpoint_is_asked(tmp_path: Path) -> None:
    """Its scoring host is resolved, also if the files do not set public_network_access."""
    deployment = {"name": "blue", "model": MODEL, "instance_type": SIZE}
    there = {
        "name": "mip", "traffic": {"blue": 100}, "deployments": [deployment], "public_network_access": "disabled",
        "tags": {"amldeploy-owner": "here/mip"},
    }  # fmt: skip
    made = private(tmp_path, "outside", endpoints=[there])
    endpoint = made.root / "templates" / "plain" / "endpoint.yml.j2"
    endpoint.write_text(endpoint.read_text().replace("public_network_access: disabled\n", ""))
    assert "it resolves to the public address" in refusal(made)


def test_inside_the_network_it_is_probed(tmp_path: Path) -> None:
    """The host has a private address and accepts connections: the plan says so, and the apply succeeds."""
    made = private(tmp_path, "inside")
    with emulator.embed(made.state):
        [step] = [each for each in commands.plan(made, "here").steps if each.kind == "network"]
        assert step.body["verdict"] == "yes"
        assert "the probe runs from this machine; 127.0.0.1 resolves to 127.0.0.1, and port" in step.why


def test_a_network_that_is_lost_after_the_plan_refuses_the_apply(tmp_path: Path) -> None:
    """The second plan, under the lock, connects again."""
    made = private(tmp_path, "inside")
    with emulator.embed(made.state):

        def leave(*_: object) -> None:
            (made.root / "outside.yml").write_text("settings: {caller_network: outside}\n")
            emulator.begin(made.state, world=made.root / "outside.yml")

        with pytest.raises(Refused) as refused:
            commands.apply(made, "here", approve=leave, emit=lambda *_: None)
    assert [(each.address, each.code) for each in refused.value.findings] == [("network/mip", "AML266")]


def test_from_none_is_no_probe(tmp_path: Path) -> None:
    """It is planned from outside with a warning, and `guards.require_probe` refuses it."""
    made = private(tmp_path, "outside", NONE)
    plan = commands.plan(made, "here")
    assert not [step for step in plan.steps if step.kind in ("network", "probe")]
    assert [note for note in plan.notes if "traffic moves to a release that no probe tests" in note]
    environment = made.root / "environments" / "here.yml"
    environment.write_text(environment.read_text() + "guards: {require_probe: true}\n")
    with pytest.raises(Refused, match="AML248"):
        commands.plan(made, "here")
