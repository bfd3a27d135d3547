"""The verb that says how GitHub and Azure come to trust each other. Reads files; asks nobody."""

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
    """The identities for an environment's plan and apply. Raises SpecError for wrong files, UsageError for words."""
    what = f"federate {name}"
    if not _NAME.fullmatch(repository.name):
        raise UsageError(what, f"{repository.name!r} is no repository", "Write OWNER/NAME", code="AML662")
    if any(number and not number.isdecimal() for number in (repository.owner_id, repository.id)):
        cure = "Look at: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
        raise UsageError(what, "--owner-id and --repo-id are numbers", cure, code="AML662")
    environment, specs = validate(project, name)
    if environment.cloud == "local":
        raise UsageError(
            what, "the emulator trusts whoever can reach it", "Name an environment in Azure", code="AML663"
        )
    audience = github.AUDIENCES.get(environment.cloud, github.PUBLIC)
    return federation.trusts(environment, specs, repository, audience, BUILT_IN)
