"""What a renewal repairs although no lease is about to end: a lease that was missed, an alias that names another."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from deploy.errors import Refused
from deploy.model import Environment, Plan, Step, Verb, Wanted, address
from deploy.notices import Word
from deploy.outcome import Outcome, Report, State, as_json
from deploy.steps import alias
from deploy.succession import Turn
from deploy.verbs.standing import Standing


def missed(stands: Mapping[str, Standing]) -> list[Turn]:
    """Entries whose endpoint Azure deleted: made as `apply` would, under the name in the file."""
    return [Turn(each.spec, (), None) for each in stands.values() if each.missed]


def aliases(
    environment: Environment, stands: Mapping[str, Standing], but: Collection[str]
) -> tuple[Plan, list[Outcome]]:
    """The aliases that do not name the endpoint that serves, moved; those that cannot be read, refused. `but`: entries
    whose renewal moves theirs.
    """
    steps: list[Step] = []
    failed: list[Outcome] = []
    for key, each in stands.items():
        if key in but or not each.trouble:
            continue
        try:
            steps += alias.plan(Wanted(each.spec, {}, ({},)), each.facts)
        except Refused as error:
            failed.append(refused(key, error))
    return Plan(environment.name, tuple(steps)), failed


def refused(key: str, error: Refused) -> Outcome:
    """An entry about which nothing was done; the others do not wait for it."""
    return Outcome(address("endpoint", key), Verb.CHECK, State.FAILED, 0, 0.0, as_json(error))


def unrepaired(environment: Environment, stands: Mapping[str, Standing], report: Report) -> list[Word]:
    """A notice for each entry that was found broken and still is."""
    undone = (State.FAILED, State.NOT_REACHED)
    failed = {outcome.address.split("/")[1] for outcome in report.outcomes if outcome.state in undone}
    found = []
    for key, each in stands.items():
        words = each.missed.words if each.missed else each.trouble
        if words and key in failed:
            ended = each.missed.ended if each.missed else None
            cure = f"Repair it with: amldeploy renew -e {environment.name} {key}"
            found.append(Word(environment.name, each.spec.name, ended, 0, f"{words}. {cure}"))
    return found
