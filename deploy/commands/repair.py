"""What a renewal repairs although no lease is about to end: a lease that was missed, an alias that names another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from deploy.commands.lease_state import Standing
from deploy.domain.arm import address
from deploy.domain.plan import Desired, Plan, Step, Verb
from deploy.domain.report import Outcome, Report, State, as_json
from deploy.domain.spec import EndpointSpec, Environment
from deploy.errors import Finding, Refused, UsageError
from deploy.leasing.lineage import Lineage
from deploy.leasing.live_release import succeeding
from deploy.leasing.notices import Message
from deploy.steps import alias


def renewable(specs: Sequence[EndpointSpec], within: float) -> tuple[list[EndpointSpec], list[Outcome]]:
    """The entries whose new lease would not be due again at once, and a refusal of each other one. `within`: hours.

    Raises UsageError when it is so of all of them: then it is the command line that is wrong.
    """
    lent = [spec for spec in specs if spec.pipeline.quota.capacity == "shared"]
    short = [spec for spec in lent if spec.pipeline.quota.duration <= within * 3600]
    causes = {
        spec.key: f"its lease of {spec.pipeline.quota.duration / 3600:g} h is not longer than --within {within:g}h"
        for spec in short
    }
    cure = "Use a shorter --within, or write a longer quota.duration"
    if short and len(short) == len(lent):
        raise UsageError(f"renew {', '.join(causes)}", next(iter(causes.values())), cure, code="AML666")
    found = {key: Finding(str(address("endpoint", key)), "AML666", cause, cure) for key, cause in causes.items()}
    outcomes = [refused(key, Refused([finding], "renew")) for key, finding in found.items()]
    return [spec for spec in specs if spec.key not in causes], outcomes


def missed(is_in_effect: Mapping[str, Standing]) -> list[Lineage]:
    """Entries whose endpoint Azure deleted: made as `apply` would, under the name in the file. A tag says so, by which
    the next visit knows one that was cut off.
    """
    return [Lineage(succeeding(each.spec, each.spec.name), (), None) for each in is_in_effect.values() if each.missed]


def aliases(
    environment: Environment, is_in_effect: Mapping[str, Standing], but: Collection[str]
) -> tuple[Plan, list[Outcome]]:
    """The aliases that do not name the endpoint that serves, moved; those that cannot be read, refused. `but`: entries
    whose renewal moves theirs.
    """
    steps: list[Step] = []
    failed: list[Outcome] = []
    for key, each in is_in_effect.items():
        if key in but or not each.trouble:
            continue
        try:
            steps += alias.plan(Desired(each.spec, {}, ({},)), each.facts)
        except Refused as error:
            failed.append(refused(key, error))
    return Plan(environment.name, tuple(steps)), failed


def refused(key: str, error: Refused) -> Outcome:
    """An entry about which nothing was done; the others do not wait for it."""
    return Outcome(address("endpoint", key), Verb.CHECK, State.FAILED, 0, 0.0, as_json(error))


def unrepaired(environment: Environment, is_in_effect: Mapping[str, Standing], report: Report) -> list[Message]:
    """A notice for each entry that was found broken and still is."""
    undone = (State.FAILED, State.NOT_REACHED)
    failed = {outcome.address.endpoint for outcome in report.outcomes if outcome.state in undone}
    found = []
    for key, each in is_in_effect.items():
        words = each.missed.words if each.missed else each.trouble
        if words and key in failed:
            ended = each.missed.ended if each.missed else None
            cure = f"Repair it with: amldeploy renew -e {environment.name} {key}"
            found.append(Message(environment.name, each.spec.name, ended, 0, f"{words}. {cure}"))
    return found
