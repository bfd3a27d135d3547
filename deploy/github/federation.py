"""Trust between GitHub and Azure: the identities that a repository's jobs sign in as, and their least permissions.

Three identities: one plans and only reads, in the GitHub environment `<name>-plan`; one applies in `<name>`, which has
reviewers, and renews and reaps on a schedule in `<name>-reap`, which has none; one rolls back in `<name>-rollback`,
whose reviewers can differ, and cannot assign roles. The subject of a job has one of two forms, by a setting of the
repository: names, or names with ids that GitHub never reuses (the default for repositories created or renamed since
July 2026). Pure functions.
"""

from __future__ import annotations

import json
import re
import shlex
import urllib.parse
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from deploy.domain.spec import EndpointSpec, Environment

ISSUER = "https://token.actions.githubusercontent.com"
_ASSIGN, _REMOVE = (f"Microsoft.Authorization/roleAssignments/{verb}" for verb in ("write", "delete"))
_AUTOSCALE = tuple(f"Microsoft.Insights/AutoscaleSettings/{verb}" for verb in ("Read", "Write", "Delete"))
"""No built-in role for monitoring has these."""
_CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers"
_CONTAINER_LEASE = tuple(f"{_CONTAINER}/{verb}" for verb in ("read", "write", "lease/action"))
"""In the built-in roles Contributor and Storage Account Contributor, which also allow to read the account keys."""
_VARIABLES = {"AZURE_CLIENT_ID": "$client", "AZURE_TENANT_ID": "$tenant"}
"""Variable that a job needs to sign in -> shell variable of the commands."""
_BRANCH = "main"
"""The branch whose jobs can use the GitHub environments, except that of plan."""
_ROLE = "Microsoft.Authorization/roleAssignments:RoleDefinitionId"


@dataclass(frozen=True)
class Repository:
    """`owner/name`, and the ids of both if they are known."""

    name: str
    owner_id: str = ""
    id: str = ""

    def subjects(self, environment: str) -> dict[str, str]:
        """Form -> subject of a job in this environment. Unknown ids are placeholders."""
        owner, _, name = self.name.partition("/")
        with_ids = f"{owner}@{self.owner_id or 'OWNER_ID'}/{name}@{self.id or 'REPOSITORY_ID'}"
        forms = {"names": self.name, "ids": with_ids}
        return {form: f"repo:{repository}:environment:{environment}" for form, repository in forms.items()}


@dataclass(frozen=True)
class Grant:
    """A role at a scope (an ARM id), the reason, and the condition of the role assignment. `actions`: of a custom role,
    which the commands create first.
    """

    role: str
    scope: str
    why: str
    condition: str = ""
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockRole:
    """A role that the lock needs only in some workspaces; the files do not show in which.

    `when`: the condition of the workspace. The scope of the grant, and the assignable scope of a custom role, contain
    shell variables that the first of the commands set; the variable `principal` is set by `Trust.commands`.
    """

    when: str
    grant: Grant
    commands: Sequence[str]


@dataclass(frozen=True)
class Trust:
    """A job's identity, its subjects and its roles. `form` is the form of subject that the commands use. The commands
    assign `grants`, not `lock_roles`.
    """

    job: str
    environment: str
    identity: str
    subjects: Mapping[str, str]
    form: str
    grants: Sequence[Grant]
    commands: Sequence[str]
    lock_roles: Sequence[LockRole]


def trusts(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    repository: Repository,
    audience: str,
    guids: Mapping[str, str],
) -> list[Trust]:
    """The trust of the jobs that plan, apply, reap and roll back. `guids`: built-in role -> its GUID."""
    name = environment.name
    reading = [Grant("Reader", _subscription(environment), "reads the workspace, role assignments, policies and quota")]
    shifting = [*reading, *_shifting(environment, specs)]
    writing = [*shifting, *_assigning(environment, specs, guids)]
    form = "ids" if repository.owner_id and repository.id else "names"
    jobs = [
        ("plan", f"{name}-plan", f"{name}-plan", reading),
        ("apply", name, name, writing),
        ("reap", f"{name}-reap", name, writing),
        ("rollback", f"{name}-rollback", f"{name}-rollback", shifting),
    ]
    found: list[Trust] = []
    for job, place, owner, grants in jobs:
        identity, subjects = "id-amldeploy-" + re.sub(r"[^A-Za-z0-9_-]", "-", owner), repository.subjects(place)
        first = place == owner  # the job for which the commands create the identity and assign its roles
        defined = {grant.role for trust in found for grant in _all_grants(trust)}
        commands = [
            *_create(environment, identity, first),
            *_trust(environment, identity, "github" if first else f"github-{job}", subjects[form], audience),
            *(command for grant in grants if first for command in _grant(grant, defined)),
            *_place(repository, place, job),
            *(_variable(repository, place, *pair) for pair in _VARIABLES.items()),
        ]
        lock_roles = _lock_roles(environment, defined) if first and grants is not reading else []
        found.append(Trust(job, place, identity, subjects, form, grants, commands, lock_roles))
    return found


def _shifting(environment: Environment, specs: Sequence[EndpointSpec]) -> list[Grant]:
    """What changes endpoints and moves traffic. The first role also holds the lock where the datastore of the workspace
    has a credential: it has the action `datastores/listsecrets/action`.
    """
    why = "creates, probes and deletes endpoints, and holds their locks"
    found = [Grant("AzureML Data Scientist", environment.workspace_id, why)]
    for spec in specs:
        users = (spec.endpoint.get("identity") or {}).get("user_assigned_identities") or ()
        why = f"{spec.key} uses this identity"
        found += [Grant("Managed Identity Operator", str(user["resource_id"]), why) for user in users]
    if scaled := [spec.key for spec in specs if spec.pipeline.scale]:
        why = f"moves the autoscale settings of {', '.join(scaled)}"
        role = _custom_role("autoscale", environment)
        found.append(Grant(role, _group(environment), why, actions=_AUTOSCALE))
    return list(dict.fromkeys(found))


def _assigning(environment: Environment, specs: Sequence[EndpointSpec], guids: Mapping[str, str]) -> list[Grant]:
    given: dict[str, set[str]] = {}
    for spec in specs:
        for role in spec.pipeline.roles:
            given.setdefault(_scope(environment, role.scope), set()).add(role.role)
    name, found = "Role Based Access Control Administrator", []
    for scope, roles in sorted(given.items()):
        found.append(Grant(name, scope, f"assigns and removes {', '.join(sorted(roles))}", _only(roles, guids)))
    return found


def _all_grants(trust: Trust) -> list[Grant]:
    return [*trust.grants, *(role.grant for role in trust.lock_roles)]


def _lock_roles(environment: Environment, defined: Container[str]) -> list[LockRole]:
    """The roles where Data Scientist does not suffice: a lease on a blob with a token of Entra ID, and a lease on a
    container through the Resource Manager, which a storage firewall does not close.
    """
    show = f"az resource show --ids {shlex.quote(environment.workspace_id)} --output tsv --query properties"
    account = f"storage=$({show}.storageAccount)"
    container = f"container=azureml-blobstore-$({show}.workspaceId)"
    blobs = Grant(
        "Storage Blob Data Contributor",
        "$storage/blobServices/default/containers/$container",
        "holds the locks, and uploads files",
    )
    containers = Grant(_custom_role("lock", environment), "$storage", "holds the locks", actions=_CONTAINER_LEASE)
    return [
        LockRole(
            "the datastore workspaceblobstore has no credential, or the storage account accepts no account key",
            blobs,
            [account, container, *_grant(blobs, scope=f'"{blobs.scope}"')],
        ),
        LockRole(
            "the network of the storage account is closed to the runner",
            containers,
            [account, *_grant(containers, defined, f'"{containers.scope}"', within="${storage%/providers/*}")],
        ),
    ]


def _custom_role(word: str, environment: Environment) -> str:
    """The name of a custom role, which must be unique in the tenant."""
    return f"amldeploy {word} {environment.resource_group} {environment.subscription_id[:8]}"


def _scope(environment: Environment, word: str) -> str:
    if word.startswith("/"):
        return word.rstrip("/")
    return environment.workspace_id if word in ("endpoint", "workspace") else _group(environment)


def _only(roles: set[str], guids: Mapping[str, str]) -> str:
    """The condition that allows only these roles to be assigned or removed; empty if the GUID of a role is unknown."""
    known = {name.lower(): guid for name, guid in guids.items()}
    ids = sorted(known.get(role.lower(), role.lower()) for role in roles)
    if any(one not in known.values() for one in ids):
        return ""
    listed = "{" + ", ".join(ids) + "}"
    return " AND ".join(
        f"((!(ActionMatches{{'{action}'}})) OR (@{side}[{_ROLE}] ForAnyOfAnyValues:GuidEquals {listed}))"
        for action, side in ((_ASSIGN, "Request"), (_REMOVE, "Resource"))
    )


def _subscription(environment: Environment) -> str:
    return f"/subscriptions/{environment.subscription_id}"


def _group(environment: Environment) -> str:
    return environment.workspace_id.split("/providers/")[0]


def _within(environment: Environment) -> str:
    return f"--subscription {environment.subscription_id} --resource-group {shlex.quote(environment.resource_group)}"


def _create(environment: Environment, identity: str, first: bool) -> list[str]:
    return [f"az identity create {_within(environment)} --name {identity}"] if first else []


def _trust(environment: Environment, identity: str, credential: str, subject: str, audience: str) -> list[str]:
    """Commands that add a federated credential for the subject, and set shell variables."""
    within = _within(environment)
    trust = f"--issuer {ISSUER} --subject {shlex.quote(subject)} --audiences {audience}"
    show = f"az identity show {within} --name {identity} --output tsv --query"
    return [
        f"az identity federated-credential create {within} --identity-name {identity} --name {credential} {trust}",
        *(f"{word}=$({show} {word}Id)" for word in ("principal", "client", "tenant")),
    ]


def _grant(grant: Grant, defined: Container[str] = (), scope: str = "", within: str = "") -> list[str]:
    """Commands that assign a role, and create it if it is a custom role that is not `defined` yet. `scope`: a word of
    the shell, default the quoted scope. `within`: a shell expression for the assignable scope of a custom role.
    """
    assignee = '--assignee-object-id "$principal" --assignee-principal-type ServicePrincipal'
    narrowed = f" --condition-version 2.0 --condition {shlex.quote(grant.condition)}" if grant.condition else ""
    what = f"--role {shlex.quote(grant.role)} --scope {scope or shlex.quote(grant.scope)}"
    assign = f"az role assignment create {assignee} {what}{narrowed}"
    if not grant.actions or grant.role in defined:
        return [assign]
    custom = {"Name": grant.role, "Actions": list(grant.actions), "AssignableScopes": [within or grant.scope]}
    words = shlex.quote(json.dumps(custom))
    if within:  # the quotes around it end here, so that the shell expands it
        words = words.replace(within, f"'\"{within}\"'")
    return [f"az role definition create --role-definition {words}", assign]


def _place(repository: Repository, place: str, job: str) -> list[str]:
    """Commands that create the GitHub environment: any branch for plan, else only `_BRANCH`; reviewers for apply and
    rollback. TEAM is a placeholder; without a team of this name the environment is not created.
    """
    path = f"repos/{repository.name}/environments/{urllib.parse.quote(place, safe='')}"
    if job == "plan":
        return [f"gh api --method PUT {path}"]
    policy = '\\"deployment_branch_policy\\": {\\"protected_branches\\": false, \\"custom_branch_policies\\": true}'
    reviewed = job in ("apply", "rollback")
    more = f'\\"prevent_self_review\\": {json.dumps(job == "apply")}, \\"reviewers\\": $reviewers, ' if reviewed else ""
    team = f"orgs/{repository.name.partition('/')[0]}/teams/TEAM"
    return [
        *([f"reviewers=$(gh api {team} --jq '[{{type: \"Team\", id}}]')"] if reviewed else []),
        f'gh api --method PUT {path} --input - <<<"{{{more}{policy}}}"',
        f"gh api --method POST {path}/deployment-branch-policies -f name={_BRANCH}",
    ]


def _variable(repository: Repository, place: str, name: str, value: str) -> str:
    return f'gh variable set {name} --repo {repository.name} --env {shlex.quote(place)} --body "{value}"'
