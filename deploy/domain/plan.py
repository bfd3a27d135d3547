"""A plan: its steps, its rescue and its fallback. Can be written as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import NamedTuple

from deploy.documents.rollout import Stage
from deploy.domain.arm import Address, Json
from deploy.domain.cost import Prices, Running
from deploy.domain.digests import digest
from deploy.domain.spec import EndpointSpec, Retry
from deploy.redact import redact_secrets


@dataclass(frozen=True)
class Desired:
    """A spec with the choices of the planner: the deployments, and the stages of traffic up to the next pause.

    `rollout`: the stages of the files that `stages` are made of; empty where traffic moves at once.
    """

    spec: EndpointSpec
    deployments: Mapping[str, Mapping[str, Json]]
    stages: tuple[Mapping[str, int], ...]
    live: str | None = None
    rollout: tuple[Stage, ...] = ()

    @property
    def traffic(self) -> Mapping[str, int]:
        """The traffic after the last of these stages."""
        return self.stages[-1]

    @property
    def slot(self) -> str:
        """The deployment that gets the release, or the first that most traffic goes to."""
        return next(iter(self.deployments)) if self.chooses_slots else max(self.traffic, key=lambda n: self.traffic[n])

    @property
    def chooses_slots(self) -> bool:
        """Whether the planner chooses the slot: the files have one deployment and no traffic map."""
        return self.spec.traffic is None and len(self.spec.deployments) == 1


class Verb(StrEnum):
    """What a step does."""

    CHECK = "check"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PROBE = "probe"
    GATE = "gate"
    SHIFT = "shift"


READS = (Verb.CHECK, Verb.PROBE, Verb.GATE)
"""The verbs of steps that change nothing in Azure."""


@dataclass(frozen=True)
class Step:
    """One remote call, as data. The kind of its address is the name of its step type."""

    verb: Verb
    address: Address
    body: Mapping[str, Json]
    why: str
    retry: Retry = Retry()

    @property
    def kind(self) -> str:
        return self.address.kind

    @property
    def endpoint(self) -> str:
        return self.address.endpoint

    @property
    def changes(self) -> bool:
        """Whether it changes something in Azure."""
        return self.verb not in READS


World = Mapping[Address, Json]
"""The facts that a plan depends on: address -> body without what changes by itself."""


class Difference(NamedTuple):
    """A field that differs between two worlds; `path` is empty where the whole resource exists in one of them only."""

    address: Address
    path: str
    before: Json
    after: Json


@dataclass(frozen=True)
class Plan:
    """The steps from what exists to what is desired, and the steps that run if one fails."""

    environment: str
    steps: tuple[Step, ...]
    rescue: tuple[Step, ...] = ()
    leases: tuple[Mapping[str, Json], ...] = ()
    endpoints: tuple[str, ...] = ()  # the keys that were requested, whether they need a step or not
    facts: str = ""  # digest of the facts that the plan depends on
    notes: tuple[str, ...] = ()  # what a person should know before approving
    world: World = field(default_factory=dict)
    """Those facts, each secret as a digest; empty if they are not stored."""
    fallback: tuple[Step, ...] = ()  # the steps that replace the rest when the shared pool stays full
    exposure: tuple[Mapping[str, Json], ...] = ()  # {address, path, before, after} of what becomes more exposed
    allow_exposure: bool = False  # whether that is allowed in a protected environment
    stays: tuple[str, ...] = ()  # ARM ids of assets in the workspace that the deployments used which it deletes
    scoring_uris: tuple[str, ...] = field(default=(), compare=False)  # of endpoints that exist; not in a plan file
    held: tuple[Mapping[str, Json], ...] = ()
    """Endpoints that are not changed, as their files describe a release that was rolled back: {endpoint, name, release,
    at, by}.
    """
    allow_rolled_back: bool = False
    """Whether a release that was rolled back may be deployed again."""
    duration: Mapping[str, float] = field(default_factory=dict, compare=False)
    """Endpoint key -> seconds that its steps usually take; not in a plan file."""
    running: Mapping[str, Running] = field(default_factory=dict, compare=False)
    """Endpoint key -> the instances that run before the plan; not in a plan file."""
    prices: Prices | None = field(default=None, compare=False)
    """Prices in the workspace's region; None if they were not read. Not in a plan file."""
    orphans: tuple[Mapping[str, Json], ...] = field(default=(), compare=False)
    """Endpoints that no entry of the file names: see `orphans.as_json`."""
    target: Mapping[str, str] = field(default_factory=dict)  # cloud, subscription_id, ... see `build.target_of`
    sealed: Mapping[str, str] = field(default_factory=dict)  # hidden value -> digest, see `build.sealed_of`

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, those of the rescue and those of the fallback."""
        return (*self.steps, *self.rescue, *self.fallback)

    @property
    def pruned(self) -> frozenset[str]:
        """The endpoints, as in addresses, of the orphans that it deletes, after all other endpoints succeeded."""
        return frozenset(Address.parse(str(each["address"])).endpoint for each in self.orphans if each["pruned"])

    @property
    def fingerprint(self) -> str:
        """What apply compares. Checks are left out: apply repeats them. Secrets count by their digests."""
        steps = [_as_data(step) for step in (*self.steps, *self.rescue) if step.verb is not Verb.CHECK]
        second = [_as_data(step) for step in self.fallback if step.verb is not Verb.CHECK]
        where = [self.environment, list(self.endpoints), dict(self.target), dict(self.sealed)]
        chosen = {"held": self.held, "allow": [self.allow_rolled_back, self.allow_exposure]}
        return digest([*where, self.facts, redact_secrets(steps), redact_secrets(second), chosen])

    @property
    def summary(self) -> dict[str, int]:
        """How many steps of each verb; every verb is named."""
        return {verb.value: sum(s.verb is verb for s in self.steps) for verb in Verb}

    @property
    def quota(self) -> tuple[Mapping[str, Json], ...]:
        """The body of each quota check."""
        return tuple(s.body for s in self.steps if s.kind == "quota")


def by_endpoint(steps: Sequence[Step]) -> dict[str, list[Step]]:
    """Endpoint key -> its steps, in their order."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.endpoint, []).append(step)
    return found


def digest_world(world: World) -> str:
    """The digest of facts, as `Plan.facts` holds it: 16 hex digits."""
    return digest({str(where): body for where, body in world.items()}, 16)


def _as_data(step: Step) -> dict[str, Json]:
    return {**asdict(step), "address": str(step.address)}
