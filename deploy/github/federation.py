"""Trust between GitHub and Azure: the identities that a repository's jobs sign in as, and their least permissions.

Two identities: one plans and only reads, in the GitHub environment `<name>-plan`; the other applies in `<name>`, which
has reviewers, and renews and reaps on a schedule in `<name>-reap`, which has none. The subject of a job has one of two
forms, by a setting of the repository: names, or names with ids that GitHub never reuses (the default for repositories
created or renamed since July 2026). Pure functions.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.domain.spec import EndpointSpec, Environment

ISSUER = "https://token.actions.githubusercontent.com"
_ASSIGN, _REMOVE = (f"Microsoft.Authorization/roleAssignments/{verb}" for verb in ("write", "delete"))
_AUTOSCALE = tuple(f"Microsoft.Insights/AutoscaleSettings/{verb}" for verb in ("Read", "Write", "Delete"))
"""No built-in role for monitoring has these."""
_VARIABLES = {"AZURE_CLIENT_ID": "$client", "AZURE_TENANT_ID": "$tenant"}
"""Variable that a job needs to sign in -> shell variable of the commands."""
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
class Trust:
    """A job's identity, its subjects and its roles. `form` is the form of subject that the commands use."""

    job: str
    environment: str
    identity: str
    subjects: Mapping[str, str]
    form: str
    grants: Sequence[Grant]
    commands: Sequence[str]


def trusts(
    environment: Environment,
    specs: Sequence[EndpointSpec],
    repository: Repository,
    audience: str,
    guids: Mapping[str, str],
) -> list[Trust]:
    """The trust of the jobs that plan, apply and reap. `guids`: built-in role -> its GUID."""
    name = environment.name
    subscription = f"/subscriptions/{environment.subscription_id}"
    reading = [Grant("Reader", subscription, "reads the workspace, role assignments, policies and the quota")]
    writing = [*reading, *_writing(environment, specs, guids)]
    form = "ids" if repository.owner_id and repository.id else "names"
    found = []
    jobs = (("plan", f"{name}-plan", f"{name}-plan", reading), ("apply", name, name, writing))
    for job, place, owner, grants in (*jobs, ("reap", f"{name}-reap", name, writing)):
        identity, subjects = "id-amldeploy-" + re.sub(r"[^A-Za-z0-9_-]", "-", owner), repository.subjects(place)
        first = place == owner  # the job for which the commands create the identity and assign its roles
        commands = [
            *_identity(environment, identity, "github" if first else f"github-{job}", subjects[form], audience),
            *(command for grant in grants if first for command in _grant(grant)),
            *(_variable(repository, place, *pair) for pair in _VARIABLES.items()),
        ]
        found.append(Trust(job, place, identity, subjects, form, grants, commands))
    return found


def _writing(environment: Environment, specs: Sequence[EndpointSpec], guids: Mapping[str, str]) -> list[Grant]:
    found = [Grant("AzureML Data Scientist", environment.workspace_id, "creates, probes and deletes endpoints")]
    given: dict[str, set[str]] = {}
    for spec in specs:
        for role in spec.pipeline.roles:
            given.setdefault(_scope(environment, role.scope), set()).add(role.role)
        users = (spec.endpoint.get("identity") or {}).get("user_assigned_identities") or ()
        why = f"{spec.key} uses this identity"
        found += [Grant("Managed Identity Operator", str(user["resource_id"]), why) for user in users]
    for scope, roles in sorted(given.items()):
        why = f"assigns and removes {', '.join(sorted(roles))}"
        found.append(Grant("Role Based Access Control Administrator", scope, why, _only(roles, guids)))
    if scaled := [spec.key for spec in specs if spec.pipeline.scale]:
        why = f"moves the autoscale settings of {', '.join(scaled)}"
        found.append(Grant(_autoscale_role(environment), _group(environment), why, actions=_AUTOSCALE))
    return list(dict.fromkeys(found))


def _autoscale_role(environment: Environment) -> str:
    """The name of a custom role, which must be unique in the tenant."""
    return f"amldeploy autoscale {environment.resource_group} {environment.subscription_id[:8]}"


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


def _group(environment: Environment) -> str:
    return environment.workspace_id.split("/providers/")[0]


def _identity(environment: Environment, identity: str, credential: str, subject: str, audience: str) -> list[str]:
    """Commands that create the identity, add a federated credential for the subject, and set shell variables."""
    within = f"--subscription {environment.subscription_id} --resource-group {shlex.quote(environment.resource_group)}"
    trust = f"--issuer {ISSUER} --subject {shlex.quote(subject)} --audiences {audience}"
    show = f"az identity show {within} --name {identity} --output tsv --query"
    return [
        f"az identity create {within} --name {identity}",
        f"az identity federated-credential create {within} --identity-name {identity} --name {credential} {trust}",
        *(f"{word}=$({show} {word}Id)" for word in ("principal", "client", "tenant")),
    ]


def _grant(grant: Grant) -> list[str]:
    assignee = '--assignee-object-id "$principal" --assignee-principal-type ServicePrincipal'
    narrowed = f" --condition-version 2.0 --condition {shlex.quote(grant.condition)}" if grant.condition else ""
    what = f"--role {shlex.quote(grant.role)} --scope {shlex.quote(grant.scope)}"
    custom = {"Name": grant.role, "Actions": list(grant.actions), "AssignableScopes": [grant.scope]}
    create = f"az role definition create --role-definition {shlex.quote(json.dumps(custom))}"
    return [*([create] if grant.actions else []), f"az role assignment create {assignee} {what}{narrowed}"]


def _variable(repository: Repository, place: str, name: str, value: str) -> str:
    return f'gh variable set {name} --repo {repository.name} --env {shlex.quote(place)} --body "{value}"'
