"""What a renewal repairs besides leases that end: missed leases, and aliases that name another endpoint."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from deploy.commands.lease_state import LeaseState
from deploy.domain.arm import address
from deploy.domain.plan import Desired, Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State, as_json
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding, Refused, UsageError
from deploy.leasing.lineage import Renewal
from deploy.leasing.live_release import with_predecessor_tag
from deploy.leasing.notices import Message
from deploy.steps import alias


def renewable(specs: Sequence[EndpointSpec], within: float) -> tuple[list[EndpointSpec], list[Outcome]]:
    """The entries with a lease longer than `within` hours, and a refusal of each other one: it would be due at once.

    Raises UsageError when no lease is longer: then the argument is wrong.
    """
    shared = [spec for spec in specs if spec.pipeline.quota.capacity == "shared"]
    short = [spec for spec in shared if spec.pipeline.quota.duration <= within * 3600]
    causes = {
        spec.key: f"its lease of {spec.pipeline.quota.duration / 3600:g} h is not longer than --within {within:g}h"
        for spec in short
    }
    cure = "Use a shorter --within, or a longer quota.duration"
    if short and len(short) == len(shared):
        raise UsageError(f"renew {', '.join(causes)}", next(iter(causes.values())), cure, code="AML666")
    found = {key: Finding(str(address("endpoint", key)), "AML666", cause, cure) for key, cause in causes.items()}
    outcomes = [refusal(key, Refused([finding], "renew")) for key, finding in found.items()]
    return [spec for spec in specs if spec.key not in causes], outcomes


def missed_renewals(states: Mapping[str, LeaseState]) -> list[Renewal]:
    """The entries whose endpoint Azure deleted: created as `apply` would, under the name in the file, with the tag that
    lets the next run recognise an interrupted renewal.
    """
    specs = [with_predecessor_tag(each.spec, each.spec.name) for each in states.values() if each.missed]
    return [Renewal(spec, (), None) for spec in specs]


def plan_aliases(
    environment: Environment, states: Mapping[str, LeaseState], except_keys: Collection[str]
) -> tuple[Plan, list[Outcome]]:
    """A step for each alias that does not name the serving endpoint, and a refusal of each alias that cannot be read.

    `except_keys`: entries whose renewal moves the alias.
    """
    steps: list[Step] = []
    refused: list[Outcome] = []
    for key, each in states.items():
        if key in except_keys or not each.alias_problem:
            continue
        try:
            steps += alias.plan(Desired(each.spec, {}, ({},)), each.facts)
        except Refused as error:
            refused.append(refusal(key, error))
    return Plan(environment.name, tuple(steps)), refused


def refusal(key: str, error: Refused) -> Outcome:
    """The outcome of an entry that is not renewed. Other entries are renewed all the same."""
    return Outcome(address("endpoint", key), Verb.CHECK, State.FAILED, 0, 0.0, as_json(error))


def unrepaired(environment: Environment, states: Mapping[str, LeaseState], report: Report) -> list[Message]:
    """A notice for each entry with a problem that the run did not repair."""
    undone = (State.FAILED, State.NOT_REACHED)
    failed = {outcome.address.endpoint for outcome in report.outcomes if outcome.state in undone}
    found = []
    for key, each in states.items():
        problem = each.missed.text if each.missed else each.alias_problem
        if problem and key in failed:
            ended = each.missed.ended if each.missed else None
            cure = f"Repair it with: amldeploy lease renew -e {environment.name} {key}"
            found.append(Message(environment.name, each.spec.name, ended, 0, f"{problem}. {cure}"))
    return found
