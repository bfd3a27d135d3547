"""The command github federate: the identities and roles with which a repository's jobs sign in to Azure."""

from __future__ import annotations

import re

from deploy.cloud import github
from deploy.cloud.role_assignments import BUILT_IN
from deploy.commands.project import Project, validate
from deploy.errors import UsageError
from deploy.github import federation
from deploy.github.federation import Repository, Trust

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")


def federate(project: Project, name: str, repository: Repository) -> list[Trust]:
    """The identities for an environment's plan, apply, reap and rollback jobs. Reads the files only, no network.

    Raises SpecError for invalid files and UsageError for invalid arguments.
    """
    what = f"federate {name}"
    if not _NAME.fullmatch(repository.name):
        raise UsageError(what, f"{repository.name!r} is not a repository", "Use OWNER/NAME", code="AML662")
    if any(number and not number.isdecimal() for number in (repository.owner_id, repository.id)):
        cure = "Get them with: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
        raise UsageError(what, "--owner-id and --repo-id must be numbers", cure, code="AML662")
    if bool(repository.owner_id) != bool(repository.id):
        cure = "Use both. Get them with: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
        raise UsageError(what, "--owner-id and --repo-id must be used together", cure, code="AML662")
    environment, specs = validate(project, name)
    if environment.cloud == "local":
        cause, cure = "the emulator needs no federated identity", "Use an environment in Azure"
        raise UsageError(what, cause, cure, code="AML663")
    audience = github.AUDIENCES.get(environment.cloud, github.PUBLIC)
    return federation.trusts(environment, specs, repository, audience, BUILT_IN)
