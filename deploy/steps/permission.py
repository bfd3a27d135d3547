"""Permissions: may the caller do what the steps of a plan do. Changes nothing.

Which actions those are is judged in `refusals`, when all steps are known; here is looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.cloud import endpoints, role_assignments, role_state
from deploy.cloud.connect import Cloud
from deploy.domain.arm import Facts, Json, address
from deploy.domain.plan import Step, Wanted
from deploy.domain.report import Evidence
from deploy.domain.spec import EndpointSpec
from deploy.preflight import permissions

NAME = "permission"


def observe(cloud: Cloud, spec: EndpointSpec) -> Facts:
    """`permission/<key>/<scope>`: {word, scope, blocks, told} of the workspace and of each scope of a role to be given.

    `blocks` is null when Azure did not say, and `told` why; it is [] for a scope whose answer is the workspace's.
    """
    scopes = {"workspace": cloud.workspace_id, **role_state.scopes_to_change(cloud, spec)}
    answers = _ask(cloud, scopes, inherited=_fresh(cloud, spec.name))
    return {address(NAME, spec.key, _place(word)): {"word": word, **answer} for word, answer in answers.items()}


def plan(wanted: Wanted | None, facts: Facts) -> Sequence[Step]:  # noqa: ARG001 every room answers the same questions
    """Nothing: a permission is needed for the steps of the other rooms."""
    return ()


def run(cloud: Cloud, step: Step) -> Evidence:
    """Reads again what the caller may do, right before the first change."""
    answers = _ask(cloud, step.body["scopes"], inherited=_fresh(cloud, str(step.body["endpoint"])))
    return permissions.judge(step.body["needs"], answers).evidence(step.address, {})


def _fresh(cloud: Cloud, name: str) -> Sequence[str]:
    """The scopes of an endpoint that is not there yet: they can only inherit."""
    return () if name in endpoints.list_endpoints(cloud) else ("endpoint",)


def _ask(cloud: Cloud, scopes: dict[str, str], *, inherited: Sequence[str]) -> dict[str, dict[str, Json]]:
    """One request a scope, and none for one that a scope above has settled or that is not there yet."""
    asked: dict[str, tuple[list[Json] | None, str]] = {}
    for word, scope in sorted(scopes.items(), key=lambda pair: (pair[0] != "workspace", len(pair[1]))):
        if scope not in asked and word not in inherited and not permissions.settled(_blocks(asked), scope):
            asked[scope] = role_assignments.permissions(cloud, scope)
    blocks, told = asked[cloud.workspace_id]
    above: tuple[list[Json] | None, str] = (None, told) if blocks is None else ([], "")
    answers = {word: asked.get(scope, above if word in inherited else ([], "")) for word, scope in scopes.items()}
    return {word: {"scope": scopes[word], "blocks": blocks, "told": told} for word, (blocks, told) in answers.items()}


def _blocks(asked: Mapping[str, tuple[list[Json] | None, str]]) -> list[tuple[str, list[Json] | None]]:
    return [(scope, blocks) for scope, (blocks, _) in asked.items()]


def _place(word: str) -> str:
    return word.strip("/").replace("/", ":")
