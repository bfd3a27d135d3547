"""The selection on the command line: endpoints of an environment, or a plan file. Refuses contradictions."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from deploy import aliases
from deploy.config.validation import EnvironmentFile
from deploy.documents.locations import did_you_mean
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec
from deploy.errors import Problem, UsageError
from deploy.sanitize import sanitize
from deploy.text import count


def selected(file: EnvironmentFile, only: Sequence[str]) -> list[str]:
    """Keys of the endpoints that are named, or of all."""
    if unknown := [key for key in only if key not in file.entries]:
        raise UsageError(
            f"find endpoint {unknown[0]}",
            f"environment {file.environment.name} has no endpoint with this key",
            did_you_mean(unknown[0], file.entries, f"Its keys: {', '.join(sorted(file.entries)) or 'none'}"),
            code="AML641",
        )
    return [key for key in file.entries if not only or key in only]


def one(file: EnvironmentFile, key: str | None) -> str:
    """The key of the endpoint that is named, or of the only one. UsageError when there is not exactly one."""
    keys = selected(file, [key] if key else ())
    if len(keys) != 1:
        cause = f"environment {file.environment.name} has {count(len(keys), 'endpoint')}"
        cure = f"Name one: {', '.join(keys)}" if keys else "Add an entry to endpoints in the environment file"
        raise UsageError("select the endpoint", cause, cure, code="AML680")
    return keys[0]


def shared_names(file: EnvironmentFile, specs: Sequence[EndpointSpec]) -> list[Problem]:
    """Problems for endpoints that have the same name in Azure: each would overwrite the other."""
    first: dict[str, str] = {}
    return [
        Problem(
            file.entries[spec.key].place,
            "AML132",
            f"Endpoints {first[spec.name]} and {spec.key} are both named {spec.name} in Azure.",
            "Rename one of them.",
        )
        for spec in specs
        if first.setdefault(spec.name, spec.key) != spec.key
    ]


def shared_aliases(
    file: EnvironmentFile, specs: Sequence[EndpointSpec], selected: Collection[str], root: Path
) -> list[Problem]:
    """Problems for endpoints with the same alias: each would redirect the traffic of the other to itself.

    `specs`: all valid entries. Pairs without a selected endpoint are not reported.
    """
    first: dict[tuple[str, ...], str] = {}
    context = aliases.Context(root, os.environ)
    found = []
    for spec in specs:
        alias = spec.pipeline.lease.alias.model_dump() if spec.pipeline.lease.alias else {}
        location = aliases.location(alias, context) if alias else None
        other = first.setdefault(location, spec.key) if location else spec.key
        if other != spec.key and {other, spec.key} & {*selected}:
            cause = f"Endpoints {other} (at {file.entries[other].place}) and {spec.key} have the same alias, "
            cause += f"{aliases.display_name(alias)}."
            cure = "Use a different alias for each."
            found.append(Problem(file.entries[spec.key].place, "AML143", sanitize(cause), cure))
    return found


def environment_and_endpoints(
    saved_plan: Plan | None, name: str | None, only: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """Environment and endpoints of the plan file or of the command line. UsageError for both."""
    if saved_plan is None and name is None:
        cause = f"there is no file {only[0]}" if only else "no environment is selected"
        raise UsageError("apply", cause, "Use -e ENVIRONMENT, or a plan file", code="AML644")
    if saved_plan is None:
        return str(name), only
    if only or name not in (None, saved_plan.environment):
        cause = f"the plan file is for {saved_plan.environment} and contains its endpoints"
        raise UsageError("apply the plan file", cause, "Remove the other arguments", code="AML646")
    return saved_plan.environment, saved_plan.endpoints


def refuse_flags(plan_file: object, flags: Mapping[str, bool]) -> None:
    """UsageError for flags that only apply when a plan is made."""
    if plan_file and (typed := [flag for flag, is_on in flags.items() if is_on]):
        cause = "this choice is part of the plan file"
        raise UsageError("apply the plan file", cause, f"Use {', '.join(typed)} with plan instead", code="AML646")


def refuse_prune(only: Sequence[str], *, prune: bool) -> None:
    """UsageError for --prune together with named endpoints: an orphan belongs to no entry that can be named."""
    if prune and only:
        cause = f"--prune applies to the whole environment, and {only[0]} is named"
        raise UsageError("prune", cause, "Use --prune without endpoints", code="AML654")


def require_endpoints(only: Sequence[str], every: bool) -> None:
    """A rollback of all endpoints needs --all; an omitted argument is a UsageError."""
    if not only and not every:
        cure = "Name the endpoints, or use --all"
        raise UsageError("roll back", "no endpoint is named", cure, code="AML653")
    if only and every:
        raise UsageError("roll back", "endpoints are named together with --all", "Use one of the two", code="AML653")
