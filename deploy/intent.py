"""What was asked for: endpoints of an environment, or a plan file. Refuses what cannot be meant; does nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.errors import Problem, UsageError
from deploy.model import EndpointSpec, Plan
from deploy.sources import did_you_mean
from deploy.validator import EnvironmentFile


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
    """A plan file says itself what it allows and what is done when a step fails: flags are for who makes it."""
    if plan_file and (given := [flag for flag, on in flags.items() if on]):
        cause = "the plan file says itself what is allowed and what is done when a step fails"
        raise UsageError("apply the plan file", cause, f"Leave out {', '.join(given)}", code="AML646")
