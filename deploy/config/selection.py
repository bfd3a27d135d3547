"""What was asked for: endpoints of an environment, or a plan file. Refuses what cannot be meant; does nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from deploy.config.validation import EnvironmentFile
from deploy.documents import Alias
from deploy.documents.places import did_you_mean
from deploy.domain.plan import Plan
from deploy.domain.spec import EndpointSpec
from deploy.errors import Problem, UsageError, sanitize


def chosen(file: EnvironmentFile, only: Sequence[str]) -> list[str]:
    """The endpoints asked for, or all."""
    if unknown := [key for key in only if key not in file.entries]:
        raise UsageError(
            f"find endpoint {unknown[0]}",
            f"environment {file.environment.name} has no endpoint of this key",
            did_you_mean(unknown[0], file.entries, f"It has {', '.join(sorted(file.entries)) or 'none'}"),
            code="AML641",
        )
    return [key for key in file.entries if not only or key in only]


def shared_names(file: EnvironmentFile, specs: Sequence[EndpointSpec]) -> list[Problem]:
    """Two endpoints of one name in Azure would each undo what the other did."""
    first: dict[str, str] = {}
    return [
        Problem(
            file.entries[spec.key].place,
            "AML132",
            f"Endpoints {first[spec.name]} and {spec.key} are both named {spec.name} in Azure.",
            "Give one of them another name.",
        )
        for spec in specs
        if first.setdefault(spec.name, spec.key) != spec.key
    ]


def shared_aliases(
    file: EnvironmentFile, specs: Sequence[EndpointSpec], chosen: Collection[str], root: Path
) -> list[Problem]:
    """Two endpoints with one alias would each send the traffic of the other to itself. `specs`: every entry that is
    right; of those at least one of two must be `chosen`.
    """
    first: dict[tuple[str, ...], str] = {}
    found = []
    for spec in specs:
        alias = spec.pipeline.lease.alias
        place = _place(alias, root) if alias else None
        other = first.setdefault(place, spec.key) if place else spec.key
        if alias and other != spec.key and {other, spec.key} & {*chosen}:
            named = f"file {alias.file}" if alias.file else f"variable {alias.github_variable}"
            cause = f"Endpoints {other} (at {file.entries[other].place}) and {spec.key} have the same alias, {named}."
            cure = "Give each an alias of its own."
            found.append(Problem(file.entries[spec.key].place, "AML143", sanitize(cause), cure))
    return found


def _place(alias: Alias, root: Path) -> tuple[str, ...] | None:
    """What an alias writes to, however it is spelled; None for a command, which alone knows. GitHub's names have no
    case.
    """
    if alias.file:
        return "file", os.path.realpath(root / alias.file)
    if alias.github_variable:
        repository = alias.repository or os.environ.get("GITHUB_REPOSITORY") or ""
        return "variable", repository.lower(), alias.github_variable.lower()
    return None


def asked(agreed: Plan | None, name: str | None, only: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Environment and endpoints: those of the plan file, or those that were typed; never both."""
    if agreed is None and name is None:
        cause = f"there is no file {only[0]}" if only else "no environment is named"
        raise UsageError("apply", cause, "Say -e ENVIRONMENT, or name a plan file", code="AML644")
    if agreed is None:
        return str(name), only
    if only or name not in (None, agreed.environment):
        cause = f"the plan file is for {agreed.environment} and names its endpoints itself"
        raise UsageError("apply the plan file", cause, "Leave out what stands beside it", code="AML646")
    return agreed.environment, agreed.endpoints


def must_agree(plan_file: object, flags: Mapping[str, bool]) -> None:
    """A plan file holds what was chosen when it was made."""
    if plan_file and (typed := [flag for flag, is_on in flags.items() if is_on]):
        cause = "the choice is part of the plan file"
        raise UsageError("apply the plan file", cause, f"Leave out {', '.join(typed)}; use it with plan", code="AML646")


def must_name(only: Sequence[str], every: bool) -> None:
    """A rollback of all endpoints is asked for in words, never by leaving something out."""
    if not only and not every:
        cure = "Name the endpoints, or use --all"
        raise UsageError("roll back", "no endpoint is named", cure, code="AML653")
    if only and every:
        raise UsageError("roll back", "endpoints are named beside --all", "Use one of the two", code="AML653")
