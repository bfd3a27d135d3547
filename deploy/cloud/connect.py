"""Connects to a workspace: the cloud's hosts, the credential, one session; for `cloud: local`, to an emulator.

For an emulator, which is found or started, the variables that `amldeploy emulator env` prints are set for this process;
everything else is the same as in Azure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.clock import Clock, ScaledClock, SystemClock
from deploy.cloud import github, response_schemas
from deploy.cloud.arm import Arm
from deploy.cloud.busy_list import BusyList
from deploy.cloud.error_translation import translated_errors
from deploy.cloud.name_server import resolve
from deploy.cloud.poll_interval import PollInterval
from deploy.cloud.transport import IMPORT_LOCK, RETRIES, open_plain
from deploy.domain.arm import Json
from deploy.domain.provenance import Provenance, of_project
from deploy.domain.spec import Environment
from deploy.errors import CloudError, UsageError

if TYPE_CHECKING:
    from deploy.cloud.lock import Locks
    from deploy.cloud.lock_store import LockStore
    from deploy.emulator import Running

WORKSPACES = "2024-10-01"
OnSecret = Callable[[str], None]
"""Called with each key and token for scoring as soon as it is read, before it is used."""
OnNote = Callable[[str], None]
"""Called with a sentence for the user."""
WHERE = "AMLDEPLOY_EMULATOR"
"""The variable for where the emulator of `cloud: local` runs if none runs: `embedded` in this process, or in the
`background`. Default: in the background, but embedded where the variable CI is set.
"""
_IDLE = 1800.0
"""Seconds without a request after which an emulator that a command started ends by itself."""


@dataclass(frozen=True)
class Hosts:
    """The hosts of one cloud. `data` is the scope of a scoring token, `registries` the discovery host of registries."""

    manager: str
    data: str
    registries: str
    authority: str | None = None
    storage: str | None = None
    """The suffix of storage accounts, for a cloud that azure-ai-ml does not know."""
    private: str = ""
    """The scoring host of an endpoint in the zone of the workspace's private endpoint; empty if it is unknown."""

    def named(self, cloud: str) -> dict[str, Json]:
        """Arguments of MLClient for this cloud; for a cloud that it does not know, complete metadata, so that it
        sends no discovery request.
        """
        if self.storage is None:
            return {"cloud": cloud}
        parts = {
            "azure_portal": "https://portal.azure.com/",
            "resource_manager": self.manager,
            "active_directory": self.authority or self.manager,
            "aml_resource_id": self.data.removesuffix("/.default"),
            "storage_endpoint": self.storage,
            "registry_discovery_endpoint": f"{self.registries}/",
        }
        return {"cloud": f"{cloud} at {self.manager}", "cloud_metadata": parts}


CLOUDS = {
    "AzureCloud": Hosts(
        "https://management.azure.com",
        "https://ml.azure.com/.default",
        "https://eastus.api.azureml.ms",
        private="https://{name}.{workspace}.inference.{region}.privatelink.api.azureml.ms",
    ),
    "AzureUSGovernment": Hosts(
        "https://management.usgovcloudapi.net",
        "https://ml.azure.us/.default",
        "https://usgovarizona.api.ml.azure.us",
        "https://login.microsoftonline.us",
    ),
    "AzureChinaCloud": Hosts(
        "https://management.chinacloudapi.cn",
        "https://ml.azure.cn/.default",
        "https://chinaeast2.api.ml.azure.cn",
        "https://login.chinacloudapi.cn",
    ),
}
"""The hosts that azure-ai-ml itself uses for each cloud."""


class Cloud:
    """A connection to one workspace. Paths in steps are relative to `root`. `clock`: all waits for Azure follow it."""

    def __init__(
        self,
        environment: Environment,
        hosts: Hosts,
        root: Path,
        clock: Clock,
        *,
        ca: str | None = None,
        on_secret: OnSecret = lambda _: None,
    ) -> None:
        self.environment, self.hosts, self.clock, self.ca = environment, hosts, clock, ca
        self.on_secret = on_secret
        self.root = root.resolve()
        self.credential = _credential(environment, hosts, clock)
        self.arm = Arm(hosts.manager, self.credential, f"{hosts.manager}/.default", clock, ca=ca)
        self.poll_interval = PollInterval()
        self.busy_list = BusyList(clock.monotonic)
        self.addresses: Callable[[str], list[str]] = resolve
        """The addresses of a host, from the name server of this machine."""
        self.locks: Locks | None = None
        """The locks that this run holds, or held."""
        self.lock_stores: list[LockStore] = []
        """The store of locks that was used last; empty before the first use."""
        self.unconfirmed: set[str] = set()
        """Paths of changes without a confirmed success: they are read before the change is sent again."""
        self.durations: Mapping[str, float] = {}
        """Seconds that operations take here, by name, if they are known: the emulator's. See `planning.duration`."""
        self.ends_with_command = False
        """Whether endpoints can be called only during this command: an emulator in this process."""
        self.why_no_scoring_script: Callable[[Sequence[str]], str] = lambda _: ""
        """Why a scoring script that needs these pip packages cannot run here, and how to fix it; empty if it can."""
        self.why_unanswered: Callable[[str], str] = lambda _: ""
        """Why a deployment of a model without scoring code cannot answer here; empty if it can, as in Azure."""

    @property
    def workspace_id(self) -> str:
        return self.environment.workspace_id

    def now(self) -> datetime:
        """The service's time, from the Date header of its last response; our time before the first response."""
        if self.arm.service_time is None:
            return self.clock.now()
        date, received = self.arm.service_time
        return date + timedelta(seconds=self.clock.monotonic() - received)

    @cached_property
    def made_from(self) -> Provenance:
        """The commit of the project and the run, from git and GitHub Actions; read once."""
        return of_project(self.root, os.environ)

    def workspace(self) -> Json:
        """The workspace's body: its region, storage account, registry, key vault."""
        what = f"read workspace {self.environment.workspace}"
        body = self.arm.get(self.workspace_id, WORKSPACES, what, response_schemas.Workspace)
        if body is None:
            raise CloudError(
                what,
                f"there is no workspace {self.environment.workspace}"
                f" in resource group {self.environment.resource_group}"
                f" of subscription {self.environment.subscription_id}",
                "Check subscription_id, resource_group and workspace in the environment file",
                code="AML302",
                status=404,
            )
        return body

    @cached_property
    def ml(self) -> Any:
        """azure-ai-ml's client, over our session, with bounded retries."""
        with translated_errors("open azure-ai-ml"), IMPORT_LOCK:
            from azure.ai.ml import MLClient

        with translated_errors("open azure-ai-ml"):
            return MLClient(
                self.credential,
                self.environment.subscription_id,
                self.environment.resource_group,
                self.environment.workspace,
                transport=self.arm.transport,
                enable_telemetry=False,
                show_progress=False,
                **RETRIES,
                **self.hosts.named(self.environment.cloud),
            )

    @cached_property
    def storage(self) -> Any:
        """The session for Azure Storage, which has other hosts and other limits."""
        return open_plain(self.clock, self.ca)

    def close(self) -> None:
        if "storage" in vars(self):
            self.storage.close()
        self.arm.close()
        self.arm.transport.close()
        self.credential.close()


@contextmanager
def connect(
    environment: Environment,
    root: Path,
    state: Path,
    clock: Clock,
    on_secret: OnSecret,
    on_note: OnNote = lambda _: None,
) -> Iterator[Cloud]:
    """A connection, closed at the end. `root` is the project folder, `state` the emulator's folder."""
    if environment.cloud != "local":
        cloud = Cloud(environment, CLOUDS[environment.cloud], root, clock, on_secret=on_secret)
        try:
            yield cloud
        finally:
            cloud.close()
        return
    with _emulator(state, on_note) as running, _variables(running.variables()):
        hosts = Hosts(
            running.url, "https://ml.azure.com/.default", running.url, storage="core.windows.net", private=running.url
        )
        cloud = Cloud(environment, hosts, root, _paced(clock, state), ca=str(running.ca), on_secret=on_secret)
        cloud.durations = _durations(state)
        cloud.ends_with_command = running.pid == os.getpid()
        cloud.addresses = partial(_addresses, state)
        cloud.why_no_scoring_script = partial(_why_no_scoring_script, state)
        cloud.why_unanswered = _why_unanswered
        try:
            yield cloud
        finally:
            cloud.close()


@contextmanager
def _emulator(state: Path, on_note: OnNote) -> Iterator[Running]:
    """The running emulator, a new one in the background, or one in this process."""
    from deploy import emulator

    with ExitStack() as stack:
        with _emulator_errors():
            running = _current(state)
            if running is not None:
                emulator.save_scoring_python(state)
            elif is_embedded(os.environ):
                running = stack.enter_context(emulator.embed(state))
            else:
                running = _in_background(state, on_note)
        yield running


def is_embedded(variables: Mapping[str, str]) -> bool:
    """Whether a new emulator runs inside the command: see WHERE."""
    where = variables.get(WHERE) or (
        "embedded" if variables.get("CI", "").lower() not in ("", "false") else "background"
    )
    if where not in ("embedded", "background"):
        cause, cure = f"{WHERE} is {where!r}", f"Set {WHERE} to embedded or background, or unset it"
        raise UsageError("open the local environment", cause, cure, code="AML686")
    return where == "embedded"


def _current(state: Path) -> Running | None:
    """The running emulator. One that a command of another version of amldeploy started is stopped first."""
    from deploy import emulator

    running = emulator.find(state)
    if running is None or not running.stops_after or running.version == emulator.own_version():
        return running
    emulator.stop(state)
    return None


def _in_background(state: Path, on_note: OnNote) -> Running:
    from deploy import emulator

    if (state / emulator.WORLD).exists():
        emulator.durations(state)  # raises WorldUnavailable here, not in the log of the other process
    running = emulator.launch(state, stops_after=_IDLE)
    on_note(
        f"The emulator runs in the background at {running.url}. It stops after {_IDLE / 60:g} minutes without a"
        " request, or with: amldeploy emulator stop"
    )
    return running


@contextmanager
def _emulator_errors() -> Iterator[None]:
    """Errors of the emulator's start as UsageError."""
    from deploy import emulator

    what = "open the local environment"
    try:
        yield
    except emulator.MissingExtra as error:
        raise UsageError(what, str(error), 'Install it: pip install "amldeploy[local]"', code="AML640") from error
    except emulator.WorldUnavailable as error:
        raise UsageError(what, error.reason, error.cure, code="AML645") from error
    except RuntimeError as error:
        cause = str(error).removeprefix("cannot start the emulator: ")
        raise UsageError(what, cause, code="AML632") from error


def _paced(clock: Clock, state: Path) -> Clock:
    """Real time at the pace of the emulator's world; a clock that a test passes stays as it is."""
    from deploy import emulator

    def read() -> tuple[float, float]:
        found = emulator.clock(state)
        return float(found["seconds"]), float(found["scale"])

    return ScaledClock(clock, read) if isinstance(clock, SystemClock) else clock


def _durations(state: Path) -> Mapping[str, float]:
    from deploy import emulator

    return emulator.durations(state)


def _why_no_scoring_script(state: Path, packages: Sequence[str]) -> str:
    from deploy import emulator

    if missing := emulator.missing_packages(state, packages):
        return f"the scoring environment lacks {', '.join(missing)}. Run amldeploy emulator scoring"
    return emulator.scoring_problem(state)


def _addresses(state: Path, host: str) -> list[str]:
    from deploy import emulator

    return emulator.addresses(state, host)


def _why_unanswered(model: str) -> str:
    from deploy import emulator

    return emulator.why_unanswered(model)


@contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*values, "AZUREML_CURRENT_CLOUD")}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _credential(environment: Environment, hosts: Hosts, clock: Clock) -> Any:
    """GitHub's ID tokens in a job that can request them, otherwise azure-identity's DefaultAzureCredential."""
    if environment.cloud != "local" and github.can_request_id_token(os.environ):
        return github.GitHubCredential(os.environ, environment.cloud, hosts.authority, clock)
    from azure.identity import DefaultAzureCredential

    authority = {"authority": hosts.authority} if hosts.authority else {}
    return DefaultAzureCredential(transport=open_plain(clock), **authority)
