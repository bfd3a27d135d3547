"""What is to be deleted because its time is over, and what is spared, and why. Pure: no clock, no network, no file.

Only what carries the tag of an environment that was named is ever looked at, or what a pattern names and the caller
adopts. The list is a plan: a dry run shows the very steps that a run takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from deploy.cloud import orphans, role_assignments
from deploy.cloud.endpoints import path_in
from deploy.domain import leases
from deploy.domain.arm import Json, address
from deploy.domain.owners import key_in, owner_tag
from deploy.domain.plan import Plan, Step, Verb
from deploy.domain.preserved import PROTECT_TAG, is_protected
from deploy.domain.spec import BRIEF, PATIENT, Environment
from deploy.errors import Finding
from deploy.planning import expired_slots
from deploy.planning.build import target_of
from deploy.steps.roles import hand_on, unreadable
from deploy.text import count

MOST_OF_ALL = 0.3
"""The share of a workspace's endpoints that may go in one run unless it is forced."""


@dataclass(frozen=True)
class Rules:
    """What was asked for. Hours; `include` are shell patterns of names, heeded only with `adopt`."""

    within: float | None = None
    older_than: float | None = None
    include: tuple[str, ...] = ()
    adopt: bool = False
    most: int = 20
    force: bool = False


@dataclass(frozen=True)
class Inventory:
    """What a workspace holds: endpoints by name, and every role assignment that we see (None: they may not be read)."""

    workspace_id: str
    endpoints: Mapping[str, Mapping[str, Json]]
    assignments: Sequence[Json] | None
    autoscale: Sequence[Json]
    heirs: Mapping[str, Json] = field(default_factory=dict)
    """Assignment -> what describes it as that of an entry that stays and asks for the same."""
    behind: expired_slots.Behind = field(default_factory=expired_slots.Behind)

    @property
    def seen(self) -> Sequence[Json]:
        """The assignments that there are, as far as anybody here knows."""
        return self.assignments or ()


@dataclass(frozen=True)
class Candidate:
    """One endpoint that goes, or (`gone`) one that Azure has deleted and that left something behind. `earlier`: another
    endpoint has its name now, and stays.
    """

    name: str
    why: str
    hours_left: float | None = None
    gone: bool = False
    earlier: bool = False


@dataclass(frozen=True)
class Spared:
    """One endpoint that fits the rules and stays all the same."""

    name: str
    why: str


@dataclass(frozen=True)
class Judgement:
    """Those that go, most urgent first, those that are spared, and what a guard has against it."""

    candidates: tuple[Candidate, ...]
    spared: tuple[Spared, ...]
    findings: tuple[Finding, ...] = ()
    idle: tuple[expired_slots.Lapsed, ...] = ()
    """Idle slots to delete: the findings are about endpoints and do not keep them."""
    kept: tuple[expired_slots.Lapsed, ...] = ()

    @property
    def going(self) -> frozenset[str]:
        """The names under which no endpoint is left afterwards."""
        return frozenset(each.name for each in self.candidates if not each.earlier)


def judge(environment: Environment, there: Inventory, rules: Rules, now: datetime) -> Judgement:
    """Who goes and who stays. A guard that says no stops nobody from seeing who would have gone."""
    chosen: list[Candidate] = []
    spared: list[Spared] = []
    for name, body in there.endpoints.items():
        found = _due(name, body, rules, now)
        if found is None or not (is_ours(environment, body) or _is_named(name, rules)):
            continue
        if (owner := owner_tag(body)) and not is_ours(environment, body):
            spared.append(Spared(name, f"it belongs to {owner}, and what has another owner is not adopted"))
        elif (key := key_in(environment, owner_tag(body))) in environment.protected:
            spared.append(Spared(name, f"endpoints.{key}.protected is true in environments/{environment.name}.yml"))
        elif is_protected(body):
            spared.append(Spared(name, f"it carries the tag {PROTECT_TAG}"))
        else:
            chosen.append(found)
    chosen.sort(key=lambda each: (each.hours_left is None, each.hours_left or 0.0, each.name))
    chosen += _leftovers(environment, there)
    chosen += _earlier(environment, there, {each.name for each in chosen})
    findings = _guard(environment, there, chosen, rules)
    late = [Spared(each.name, f"{each.why}, but --max is {rules.most}") for each in chosen[rules.most :]]
    going = {each.name for each in chosen[: rules.most]} if not findings else set()
    stays = {n: b for n, b in there.endpoints.items() if n not in going and is_ours(environment, b)}
    idle, kept = expired_slots.judge(stays, there.behind, rules.most - len(going), now)
    return Judgement(tuple(chosen[: rules.most]), (*spared, *late), tuple(findings), tuple(idle), tuple(kept))


def plan(environment: Environment, there: Inventory, judged: Judgement, folder: str) -> Plan:
    """The steps: kept first, then autoscale settings, roles, and the endpoint with whatever is behind it.

    Of the roles those that carry our mark go last: whatever fails before, the mark still says what is left. Who stays
    and has no record, since a deploy was cut off, gets it.
    """
    steps = [step for each in judged.candidates for step in _steps(environment, there, each, folder)]
    going = judged.going
    held = orphans.by_holder(there.seen)
    for name, body in there.endpoints.items():
        if name not in going and is_ours(environment, body) and leases.of(body) is not None:
            steps += _recorded(name, body, held.get(role_assignments.system_identity(body) or "", ()))
    steps += expired_slots.steps(judged.idle, there.behind, folder)
    names = tuple(each.name for each in judged.candidates)
    return Plan(environment.name, tuple(steps), endpoints=names, target=target_of(environment))


def plan_idle(environment: Environment, there: Inventory, judged: Judgement, folder: str) -> Plan:
    """The steps that a guard about endpoints does not stop."""
    steps = tuple(expired_slots.steps(judged.idle, there.behind, folder))
    return Plan(environment.name, steps, target=target_of(environment))


def _recorded(name: str, body: Mapping[str, Json], held: Sequence[Json]) -> list[Step]:
    if not orphans.unmarked_assignments(body, held):
        return []
    noted, why = {"endpoint": name, "owner": owner_tag(body)}, "so that its roles can be found when the lease is over"
    return [Step(Verb.UPDATE, address("identity", name), noted, why, PATIENT)]


def _due(name: str, body: Mapping[str, Json], rules: Rules, now: datetime) -> Candidate | None:
    lease = leases.of(body)
    left = lease.hours_left(now) if lease else None
    if left is not None and left <= 0:
        return Candidate(name, f"its lease ended {-left:.1f} h ago", left)
    if left is not None and rules.within is not None and left <= rules.within:
        return Candidate(name, f"its lease ends in {left:.1f} h", left)
    born = leases.moment((body.get("systemData") or {}).get("createdAt"))
    if rules.older_than is not None and born is not None:
        age = (now - born).total_seconds() / 3600
        if age >= rules.older_than:
            return Candidate(name, f"it is {age:.0f} h old", left)
    return None


def is_ours(environment: Environment, body: Mapping[str, Json]) -> bool:
    """Whether an endpoint has the tag of this environment of this project."""
    return key_in(environment, owner_tag(body)) is not None


def _is_named(name: str, rules: Rules) -> bool:
    """Whether it is to be adopted by its name."""
    return rules.adopt and any(fnmatchcase(name, pattern) for pattern in rules.include)


def _leftovers(environment: Environment, there: Inventory) -> list[Candidate]:
    """Endpoints that are gone and of which an assignment of ours still speaks."""
    prefix = path_in(there.workspace_id, "").lower()
    known = {name.lower() for name in there.endpoints}
    gone: dict[str, int] = {}
    for row in there.seen:
        mark = role_assignments.marked(row)
        if mark and mark.endpoint.startswith(prefix) and key_in(environment, mark.owner):
            name = mark.endpoint.removeprefix(prefix)
            if name not in known:
                gone[name] = gone.get(name, 0) + 1
    return [Candidate(name, "Azure has deleted it; what it left behind goes", gone=True) for name in sorted(gone)]


def _earlier(environment: Environment, there: Inventory, going: Collection[str]) -> list[Candidate]:
    """Endpoints that exist, and of whose earlier ones of the same name an assignment of ours still speaks."""
    why = "an earlier endpoint of this name is gone; what it left behind goes"
    return [
        Candidate(name, why, gone=True, earlier=True)
        for name, body in there.endpoints.items()
        if name not in going and is_ours(environment, body) and _former(environment, there, name)
    ]


def _former(environment: Environment, there: Inventory, name: str) -> set[str]:
    return orphans.former_principals(there.endpoints[name], _marks(environment, there, name))


def _marks(environment: Environment, there: Inventory, name: str) -> list[tuple[Json, role_assignments.Mark]]:
    """The assignments that our description names as this endpoint's."""
    where = path_in(there.workspace_id, name).lower()
    marks = [(row, mark) for row in there.seen if (mark := role_assignments.marked(row)) and mark.endpoint == where]
    return [(row, mark) for row, mark in marks if key_in(environment, mark.owner)]


def _guard(environment: Environment, there: Inventory, chosen: Sequence[Candidate], rules: Rules) -> Iterator[Finding]:
    """Counts whatever would be deleted now, whether its time is over or not; what Azure has deleted is gone."""
    where = f"environment/{environment.name}"
    going = sum(not each.gone for each in chosen)
    if environment.guards.protected and chosen:
        cure = "Take guards.protected out of the environment file first"
        yield Finding(where, "AML241", "the environment is protected", cure)
    if there.assignments is None:
        yield from (unreadable(address("role", each.name)) for each in chosen)
    if going > MOST_OF_ALL * len(there.endpoints) and not rules.force:
        cause = f"{going} of {count(len(there.endpoints), 'endpoint')} would go, more than {MOST_OF_ALL:.0%} of all"
        yield Finding(where, "AML270", cause, "See whether that is meant, then say --force")


def _steps(environment: Environment, there: Inventory, each: Candidate, folder: str) -> list[Step]:
    keep = address("export", each.name)
    steps = [] if each.gone else [Step(Verb.CHECK, keep, {"name": each.name, "folder": folder}, "kept before it goes")]
    steps += [
        Step(Verb.DELETE, address("autoscale", each.name, str(row["name"])), {"id": row["id"]}, each.why, PATIENT)
        for row in orphans.settings_of_endpoint(
            () if each.earlier else there.autoscale, path_in(there.workspace_id, each.name)
        )
    ]
    steps += [
        _ended(address("role", each.name, str(row["name"])), row, there, each.why)
        for row in _roles(environment, there, each)
    ]
    if not each.gone:
        steps.append(Step(Verb.DELETE, address("endpoint", each.name), {"name": each.name}, each.why, PATIENT))
    return steps


def _ended(where: str, row: Json, there: Inventory, why: str) -> Step:
    if heir := there.heirs.get(str(row["id"])):
        return hand_on(where, heir)
    return Step(Verb.DELETE, where, {"id": row["id"]}, why, BRIEF)


def _roles(environment: Environment, there: Inventory, each: Candidate) -> list[Json]:
    """Ours that speak of this endpoint, and all that its own identity holds, which goes with it."""
    if each.earlier:
        former = _former(environment, there, each.name)
        return sorted(
            (r for r in there.seen if role_assignments.holder(r) in former),
            key=lambda r: bool(role_assignments.marked(r)),
        )
    marks = _marks(environment, there, each.name)
    mine, own = [row for row, _ in marks], {role_assignments.holder(row) for row, mark in marks if mark.own}
    if identity := role_assignments.system_identity(there.endpoints.get(each.name)):
        own.add(identity)
    taken = {str(row["id"]) for row in mine}
    return [r for r in there.seen if role_assignments.holder(r) in own and str(r["id"]) not in taken] + mine
