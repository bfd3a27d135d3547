"""The nouns: what is wanted, what is there, what is planned. Frozen data and nothing else.

Everything here can be written as JSON and read by a person. No clock, no network, no file is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from deploy.digests import digest
from deploy.documents import Pipeline
from deploy.kept import identity, merged_properties, merged_tags
from deploy.masks import hide

Json = Any
"""A JSON value; the border to Azure's bodies, which have no fixed type."""
Facts = Mapping[str, Mapping[str, Json]]
"""What Azure says is there: address -> ARM body. An address that is absent is a resource that is absent."""

OWNER_TAG = "amldeploy-owner"
"""Tag on endpoint and deployment: see `owners.Owner`. Nothing without our own is ever changed."""
RELEASE_TAG = "amldeploy-release"
"""Tag on a deployment: the digest of what it is made of."""
SLOTS = ("blue", "green")
UNPROVEN = "-unproven"  # follows the release of a live deployment that was changed in place and not yet probed


@dataclass(frozen=True)
class Guards:
    """Limits of an environment that can refuse a plan."""

    protected: bool = False
    max_instances: int | None = None
    require_probe: bool = False


@dataclass(frozen=True)
class Environment:
    """One file of `environments/`, read and found right."""

    name: str
    cloud: str
    subscription_id: str
    resource_group: str
    workspace: str
    endpoints: tuple[str, ...]
    guards: Guards = Guards()
    project: str = ""
    protected: tuple[str, ...] = ()  # keys of endpoints that are never deleted

    @property
    def workspace_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )


@dataclass(frozen=True)
class EndpointSpec:
    """One endpoint of an environment, rendered and found right.

    `endpoint` and `deployments` are CLI v2 documents. `traffic` is the map the user wrote, or None when the slots are
    ours to choose (one deployment file, no map). `folder` is the template's, where relative paths start. `releases` and
    `files` map a deployment's written name to its digest and its local files. `owner` is its tag.
    """

    key: str
    owner: str
    folder: str
    endpoint: Mapping[str, Json]
    deployments: tuple[Mapping[str, Json], ...]
    releases: Mapping[str, str]
    pipeline: Pipeline = field(default_factory=Pipeline)
    traffic: Mapping[str, int] | None = None
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    first: str = ""
    probe_files: str = ""  # digest of the files that its probe reads
    beside: tuple[EndpointSpec, ...] = ()  # the other entries of its environment's file whose files are right

    @property
    def base(self) -> str:
        """The name in the file: the first of a line of endpoints on shared quota."""
        return self.first or self.name

    def at(self, name: str) -> EndpointSpec:
        """The same, under another name of its line."""
        moved = tuple({**document, "endpoint_name": name} for document in self.deployments)
        return replace(self, endpoint={**self.endpoint, "name": name}, deployments=moved, first=self.base)

    @property
    def name(self) -> str:
        """The endpoint's name in Azure, unique in its region."""
        return str(self.endpoint["name"])

    @property
    def retry(self) -> Retry:
        """How long the pipeline lets a step of this endpoint wait for slow truths."""
        return Retry(self.pipeline.retry.attempts, self.pipeline.retry.deadline)

    def owned(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """The endpoint's document with our tag and with what a PUT would otherwise take from the endpoint as it is.

        `body` is its ARM body, empty when there is none: tags and properties that others or the lease of shared quota
        have put there, and the identity, which cannot change. An unmanaged endpoint gets no tag of ours.
        """
        managed = (body.get("tags") or {}).get(OWNER_TAG) == self.owner
        ours = {OWNER_TAG: self.owner} if managed or not body else {}
        tags = merged_tags(body, {**(self.endpoint.get("tags") or {}), **ours})
        properties = merged_properties(body, self.endpoint.get("properties") or {})
        written = self.endpoint.get("identity") or identity(body)
        more = {"properties": properties, "identity": written}
        return {**self.endpoint, "tags": tags, **{name: value for name, value in more.items() if value}}


@dataclass(frozen=True)
class Wanted:
    """A spec with the planner's choices made: which slots, in which order callers move."""

    spec: EndpointSpec
    deployments: Mapping[str, Mapping[str, Json]]
    stages: tuple[Mapping[str, int], ...]
    live: str | None = None

    @property
    def traffic(self) -> Mapping[str, int]:
        """Where callers end up."""
        return self.stages[-1]


class Verb(StrEnum):
    """What a step does."""

    CHECK = "check"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PROBE = "probe"
    SHIFT = "shift"


@dataclass(frozen=True)
class Retry:
    """How often and how long a step is tried (seconds in all), and how long to wait before its first attempt.

    `fresh_role`: the plan gives a role or makes an identity before this step, so a refusal of access may pass.
    """

    attempts: int = 1
    deadline: float = 0.0
    wait: float = 0.0
    fresh_role: bool = False


PATIENT, BRIEF = Retry(6, 1800.0), Retry(3, 120.0)
"""For steps that no pipeline speaks for any more; `BRIEF` for those that are one small request."""


@dataclass(frozen=True)
class Step:
    """One remote call, as data. The address's first word names its room, the second the endpoint's key."""

    verb: Verb
    address: str
    body: Mapping[str, Json]
    why: str
    retry: Retry = Retry()

    @property
    def room(self) -> str:
        return self.address.split("/")[0]

    @property
    def endpoint(self) -> str:
        return self.address.split("/")[1]

    @property
    def changes(self) -> bool:
        """Whether Azure is different afterwards."""
        return self.verb not in (Verb.CHECK, Verb.PROBE)


@dataclass(frozen=True)
class Plan:
    """The steps between what is wanted and what is there, and what to do if one fails."""

    environment: str
    steps: tuple[Step, ...]
    rescue: tuple[Step, ...] = ()
    leases: tuple[Mapping[str, Json], ...] = ()
    endpoints: tuple[str, ...] = ()  # those that were asked for, whether they need a step or not
    facts: str = ""  # digest of the facts that the plan stands on
    notes: tuple[str, ...] = ()  # what a person should know before agreeing
    world: Mapping[str, Json] = field(default_factory=dict)
    """Those facts, address -> body without what changes by itself, each secret as a digest; empty if not kept."""
    fallback: tuple[Step, ...] = ()  # what is done instead of the rest when the shared pool stays full
    exposure: tuple[Mapping[str, Json], ...] = ()  # {address, path, before, after} of what becomes more exposed
    allow_exposure: bool = False  # whether a protected environment takes that
    stays: tuple[str, ...] = ()  # ARM ids of assets in the workspace that the deployments used which it deletes
    scoring_uris: tuple[str, ...] = field(default=(), compare=False)  # of endpoints that are there; in no plan file
    held: tuple[Mapping[str, Json], ...] = ()
    """Endpoints left as they are because their files describe a release that was rolled back: {endpoint, name, release,
    at, by}.
    """
    allow_rolled_back: bool = False
    """Whether a release that was rolled back may be deployed again."""
    target: Mapping[str, str] = field(default_factory=dict)  # cloud, subscription_id, ... as `sealing.target_of`
    sealed: Mapping[str, str] = field(default_factory=dict)  # of what no plan shows -> digest, as `sealing.sealed_of`

    @property
    def every(self) -> tuple[Step, ...]:
        """All that may come to be done."""
        return (*self.steps, *self.rescue, *self.fallback)

    @property
    def fingerprint(self) -> str:
        """What apply compares. Checks are made anew anyway; a secret counts by its digest in `sealed` or `world`."""
        steps = [asdict(step) for step in (*self.steps, *self.rescue) if step.verb is not Verb.CHECK]
        second = [asdict(step) for step in self.fallback if step.verb is not Verb.CHECK]
        place = [self.environment, list(self.endpoints), dict(self.target), dict(self.sealed)]
        chosen = {"held": self.held, "allow": [self.allow_rolled_back, self.allow_exposure]}
        return digest([*place, self.facts, hide(steps), hide(second), chosen])

    @property
    def summary(self) -> dict[str, int]:
        """How many steps of each verb; every verb is named."""
        return {verb.value: sum(s.verb is verb for s in self.steps) for verb in Verb}

    @property
    def quota(self) -> tuple[Mapping[str, Json], ...]:
        """The arithmetic of each quota check."""
        return tuple(s.body for s in self.steps if s.room == "quota")


def address(room: str, key: str, *rest: str) -> str:
    """`deployment/mip/green`: who, in one word a person can type."""
    return "/".join((room, key, *rest))


def of_room(facts: Facts, room: str, key: str) -> dict[str, Mapping[str, Json]]:
    """The facts of one room about one endpoint, keyed by the rest of their address."""
    prefix = f"{room}/{key}"
    return {a[len(prefix) + 1 :]: body for a, body in facts.items() if a == prefix or a.startswith(prefix + "/")}


def release_of(body: Mapping[str, Json] | None) -> str:
    """The release that a deployment (ARM body or document) holds, proven or not; empty if no tag names one."""
    return str(((body or {}).get("tags") or {}).get(RELEASE_TAG) or "").removesuffix(UNPROVEN)


def capacity_of(body: Mapping[str, Json] | None) -> int:
    """The instances of a deployment, from its ARM body; 0 where it says none."""
    return int(((body or {}).get("sku") or {}).get("capacity") or 0)


def live_slot(traffic: Mapping[str, int]) -> str | None:
    """The slot with most traffic; None when nobody is served."""
    served = sorted((name for name, share in traffic.items() if share > 0), key=lambda name: (-traffic[name], name))
    return served[0] if served else None


def in_words(traffic: Mapping[str, int]) -> str:
    """`blue 90 %, green 10 %`."""
    return ", ".join(f"{name} {share} %" for name, share in sorted(traffic.items()) if share) or "nobody"
