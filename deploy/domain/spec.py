"""Environments and endpoint specs, rendered and valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deploy.documents.pipeline import Pipeline
from deploy.domain.arm import OWNER_TAG, Json
from deploy.domain.put_merge import identity, merged_properties, merged_tags
from deploy.errors import Problem


@dataclass(frozen=True)
class Guards:
    """Limits of an environment that can refuse a plan."""

    protected: bool = False
    max_instances: int | None = None
    require_probe: bool = False
    max_hourly_cost: float | None = None
    max_monthly_cost: float | None = None

    @property
    def counts_siblings(self) -> bool:
        """Whether a guard counts the instances of all endpoints of the file."""
        return any(limit is not None for limit in (self.max_instances, self.max_hourly_cost, self.max_monthly_cost))


@dataclass(frozen=True)
class ServiceLimits:
    """Limits that Azure granted on request, as the environment file states them; None: only the default is known."""

    endpoints: int | None = None
    deployments: int | None = None
    deployments_per_endpoint: int | None = None


@dataclass(frozen=True)
class Environment:
    """One file of `environments/`, read and valid."""

    name: str
    cloud: str
    subscription_id: str
    resource_group: str
    workspace: str
    endpoints: tuple[str, ...]
    guards: Guards = Guards()
    service_limits: ServiceLimits = ServiceLimits()
    project: str = ""
    protected: tuple[str, ...] = ()  # keys of endpoints that are never deleted
    lock: str = "required"  # required | best_effort | off: whether a run must hold the locks of its endpoints

    @property
    def workspace_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )


@dataclass(frozen=True)
class Retry:
    """How often and how long a step is tried (seconds in all), and how long to wait before its first attempt.

    `fresh_role`: a role or an identity is created before this step, so Azure may refuse access at first.
    """

    attempts: int = 1
    deadline: float = 0.0
    wait: float = 0.0
    fresh_role: bool = False


DEFAULT_RETRY, SHORT_RETRY = Retry(6, 1800.0), Retry(3, 120.0)
"""For steps without a pipeline.yml; `SHORT_RETRY` for those that are one small request."""


@dataclass(frozen=True)
class EndpointSpec:
    """One endpoint of an environment, rendered and valid.

    `endpoint` and `deployments` are CLI v2 documents. `traffic` is the map the user wrote, or None when the planner
    chooses the slots (one deployment file, no map). `folder` is the folder of the template, where relative paths start.
    `releases` and `files`: name of a deployment in its file -> digest; its local files. `owner` is its tag.
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
    renamed_from: str = ""
    service_limits: ServiceLimits = ServiceLimits()
    lock: str = "required"  # of its environment
    probe_files: str = ""  # digest of the files that its probe reads
    cases: tuple[Mapping[str, Json], ...] = ()  # {name, folder, case} of its probe, see `probes.cases`
    warnings: tuple[Problem, ...] = ()  # what its files contain without effect
    siblings: tuple[EndpointSpec, ...] = ()  # the other entries of its environment file that are valid

    @property
    def first_name(self) -> str:
        """The name in the file: the first endpoint of the chain of successors on shared quota."""
        return self.renamed_from or self.name

    def with_name(self, name: str) -> EndpointSpec:
        """The spec under another name of its chain of successors."""
        moved = tuple({**document, "endpoint_name": name} for document in self.deployments)
        return replace(self, endpoint={**self.endpoint, "name": name}, deployments=moved, renamed_from=self.first_name)

    @property
    def name(self) -> str:
        """The endpoint's name in Azure, unique in its region."""
        return str(self.endpoint["name"])

    @property
    def retry(self) -> Retry:
        """How often and how long pipeline.yml lets a step of this endpoint be retried."""
        return Retry(self.pipeline.retry.attempts, self.pipeline.retry.deadline)

    def document_for_put(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """The endpoint's document with our tag and with what a PUT would otherwise remove.

        `body` is its ARM body, empty when there is none: it may have unmanaged tags and properties, those of a lease,
        and an identity, which cannot change. An unmanaged endpoint gets no tag of ours.
        """
        managed = (body.get("tags") or {}).get(OWNER_TAG) == self.owner
        own = {OWNER_TAG: self.owner} if managed or not body else {}
        tags = merged_tags(body, {**(self.endpoint.get("tags") or {}), **own})
        properties = merged_properties(body, self.endpoint.get("properties") or {})
        written = self.endpoint.get("identity") or identity(body)
        more = {"properties": properties, "identity": written}
        return {**self.endpoint, "tags": tags, **{name: value for name, value in more.items() if value}}
