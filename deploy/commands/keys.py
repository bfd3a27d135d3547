"""The commands keys show and keys rotate: the two keys of an endpoint with auth_mode key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.cloud import endpoint_keys, endpoints
from deploy.cloud.connect import Cloud
from deploy.commands import lock
from deploy.commands.invoke import key_of
from deploy.commands.project import Project, validate
from deploy.domain.arm import Json
from deploy.domain.owners import adopt_command, is_unmanaged, owner_in_words, owner_tag
from deploy.domain.spec import EndpointSpec
from deploy.errors import CloudError, DeployError, Finding, Refused, UsageError
from deploy.execution.executor import Emit
from deploy.execution.scheduler import run_tasks
from deploy.leasing import lineage


@dataclass(frozen=True)
class EndpointKeys:
    """The keys of an endpoint: `key` is its key in the environment file."""

    key: str
    endpoint: str
    primary: str = field(repr=False)
    secondary: str = field(repr=False)


@dataclass(frozen=True)
class Rotation:
    """The key that is new, `primary` or `secondary`, and whether the other one stayed."""

    key: str
    endpoint: str
    rotated: str
    other: str
    other_is_unchanged: bool
    note: str = ""


def show_keys(project: Project, name: str, key: str | None) -> EndpointKeys:
    """Both keys. `key` may be None if the environment has one endpoint. UsageError for an endpoint without keys."""
    key = key_of(project, name, key)
    environment, specs = validate(project, name, [key])
    with project.connect(environment) as cloud:
        endpoint = _endpoint_with_keys(cloud, specs[0], "show")
        return _read(cloud, key, endpoint)


def rotate_key(
    project: Project,
    name: str,
    key: str | None,
    which: str,
    *,
    approve: Callable[[str, bool], None],
    emit: Emit,
    lock_timeout: float = 0.0,
) -> Rotation:
    """Make a new key `which`, primary or secondary. Each call makes another one.

    `approve` gets what will happen, to complete "type yes to ...", and whether confirmation is required.
    """
    key = key_of(project, name, key)
    environment, specs = validate(project, name, [key])
    with project.connect(environment) as cloud:
        endpoint = _endpoint_with_keys(cloud, specs[0], "rotate")
        approve(f"rotate the {which} key of {endpoint}", environment.cloud != "local")
        run = lock.Run(project, cloud, "rotate-keys", emit, lock_timeout)
        with lock.exclusive(run, endpoint) as note:
            _endpoint_with_keys(cloud, specs[0], "rotate")  # it may have changed meanwhile
            before = _read(cloud, key, endpoint)
            _rotate(cloud, endpoint, which)
            after = _read(cloud, key, endpoint)
    other = "primary" if which == "secondary" else "secondary"
    return Rotation(key, endpoint, which, other, getattr(before, other) == getattr(after, other), note)


def _rotate(cloud: Cloud, endpoint: str, which: str) -> None:
    try:
        run_tasks([endpoint_keys.rotate(cloud, endpoint, which.capitalize())], cloud.clock)
    except CloudError as error:  # exit 5: the change may have been sent
        raise DeployError(error.what, error.cause, error.cure, code=error.code) from error


def _read(cloud: Cloud, key: str, endpoint: str) -> EndpointKeys:
    found = endpoint_keys.read(cloud, endpoint)
    if not found:
        cause = "Azure returned no keys; an endpoint has them once it has been created"
        raise CloudError(f"read the keys of {endpoint}", cause, "Try again after its creation", code="AML385")
    return EndpointKeys(key, endpoint, found["primaryKey"], found["secondaryKey"])


def _endpoint_with_keys(cloud: Cloud, spec: EndpointSpec, verb: str) -> str:
    """The current name of the endpoint. Raises CloudError if it does not exist, UsageError if it has no keys, and
    Refused for a rotation if it is not managed by this entry.
    """
    existing = endpoints.list_endpoints(cloud)
    endpoint = lineage.with_current_names([spec], existing)[0].name
    what = f"{verb} the keys of {spec.key}"
    if endpoint not in existing:
        raise CloudError(what, f"{endpoint} does not exist", "Apply first", code="AML375")
    if verb == "rotate" and is_unmanaged(spec.owner, existing[endpoint]):
        cause = f"{endpoint} {owner_in_words(existing[endpoint])}"
        cure = f"Adopt it first: {adopt_command(spec, owner_tag(existing[endpoint]))}"
        raise Refused([Finding(f"the keys of {spec.key}", "AML230", cause, cure)], verb)
    mode = str((existing[endpoint].get("properties") or {}).get("authMode")).lower()
    if mode != "key":
        cause = f"{endpoint} has auth_mode {_MODES.get(mode, mode)}, so it has no keys"
        raise UsageError(what, cause, f"Use a token: {token_command(cloud, endpoint, mode)}", code="AML683")
    return endpoint


_MODES = {"aadtoken": "aad_token", "amltoken": "aml_token"}


def token_command(cloud: Cloud, endpoint: str, mode: Json) -> str:
    """The command that prints a token for an endpoint with the auth mode aadtoken or amltoken."""
    environment = cloud.environment
    if environment.cloud == "local":
        return f"amldeploy invoke -e {environment.name} reads one by itself"
    if mode == "aadtoken":
        resource = cloud.hosts.data.removesuffix("/.default")
        return f"az account get-access-token --resource {resource} --query accessToken -o tsv"
    where = f"-g {environment.resource_group} -w {environment.workspace} --subscription {environment.subscription_id}"
    return f"az ml online-endpoint get-credentials -n {endpoint} {where} --query accessToken -o tsv"
