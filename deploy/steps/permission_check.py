"""The check of permissions: is the caller allowed to do what the steps of a plan do. Changes nothing.

`check` needs the steps of all step types, so the planner calls it last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from deploy.cloud import autoscale_and_tags, endpoints, role_assignments, role_state
from deploy.cloud.connect import Cloud
from deploy.domain.arm import Facts, Json, address, facts_of
from deploy.domain.plan import Step
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import permissions as rights

NAME = "permission"
VOLATILE_FACTS = (NAME,)


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`permission/<key>/<scope>`: {word, scope, blocks, unread} of the workspace and of the scopes of roles.

    `blocks` is null when Azure did not answer, and `unread` is why; [] for a scope that inherits the workspace's. That
    of the workspace has `settings`: false if the autoscale settings matter and cannot be listed.
    """
    scopes = {"workspace": cloud.workspace_id, **role_state.scopes_to_change(cloud, spec)}
    inherited = _fresh(cloud, spec.name)
    if spec.pipeline.scale or (not inherited and autoscale_and_tags.scaling(cloud, spec.name)):
        scopes["resource_group"] = cloud.workspace_id.split("/providers/")[0]
    answers = _ask(cloud, scopes, inherited=inherited)
    return {address(NAME, spec.key, _place(word)): {"word": word, **answer} for word, answer in answers.items()}


def check(spec: EndpointSpec, needs: Sequence[rights.Need], facts: Facts) -> list[Step]:
    """The check of what all steps of an endpoint need; none where they need nothing, or nothing was read."""
    answers = {str(answer["word"]): answer for answer in facts_of(facts, NAME, spec.key).values()}
    if not any(need.is_required for need in needs) or not answers:
        return []
    scopes = {word: answer["scope"] for word, answer in answers.items()}
    body = {"endpoint": spec.name, "needs": [asdict(need) for need in needs], "scopes": scopes}
    return [rights.check(needs, answers).step(address(NAME, spec.key), body)]


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads again what the caller may do, right before the first change."""
    answers = _ask(cloud, step.body["scopes"], inherited=_fresh(cloud, str(step.body["endpoint"])))
    needs = [rights.Need(**{**row, "actions": tuple(row["actions"])}) for row in step.body["needs"]]
    return rights.check(needs, answers).evidence(step.address, {})


def _fresh(cloud: Cloud, name: str) -> Sequence[str]:
    """The scopes of an endpoint that does not exist yet: they can only inherit."""
    return () if name in endpoints.list_endpoints(cloud) else ("endpoint",)


def _ask(cloud: Cloud, scopes: dict[str, str], *, inherited: Sequence[str]) -> dict[str, dict[str, Json]]:
    """One request per scope; none if a scope above decides it, or if the scope does not exist yet."""
    answered: dict[str, tuple[list[Json] | None, str]] = {}
    for word, scope in sorted(scopes.items(), key=lambda pair: (pair[0] != "workspace", len(pair[1]))):
        if scope not in answered and word not in inherited and not rights.is_decided(_blocks(answered), scope):
            answered[scope] = role_assignments.permissions(cloud, scope)
    blocks, reason = answered[cloud.workspace_id]
    above: tuple[list[Json] | None, str] = (None, reason) if blocks is None else ([], "")
    answers = {word: answered.get(scope, above if word in inherited else ([], "")) for word, scope in scopes.items()}
    found: dict[str, dict[str, Json]] = {
        word: {"scope": scopes[word], "blocks": blocks, "unread": reason} for word, (blocks, reason) in answers.items()
    }
    needless = inherited and "resource_group" not in scopes
    found["workspace"]["settings"] = bool(needless) or autoscale_and_tags.autoscale_settings(cloud) is not None
    return found


def _blocks(answered: Mapping[str, tuple[list[Json] | None, str]]) -> list[tuple[str, list[Json] | None]]:
    return [(scope, blocks) for scope, (blocks, _) in answered.items()]


def _place(word: str) -> str:
    return word.strip("/").replace("/", ":")
