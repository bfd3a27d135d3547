"""`amldeploy github ...`: what connects a repository with Azure. Prints; changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import console, runner
from deploy.cli.options import Env, PlainForm
from deploy.cli.runner import TextOrJson

if TYPE_CHECKING:
    from deploy.github.federation import Trust

_HEAD = """\
# GitHub writes a job's subject in one of two forms. By ids it does where this says use_immutable_subject: true:
#   gh api repos/{repo}/actions/oidc/customization/sub
# The numbers for --owner-id and --repo-id are
#   gh api repos/{repo} --jq '.owner.id, .id'
# Quota belongs to the subscription: who may not read there plans without it, and is told so."""
commands = typer.Typer(help="GitHub Actions.", rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """GitHub Actions."""


@commands.command("federate")
def federate(
    environment: Env,
    repo: Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="The repository on GitHub.")],
    owner_id: Annotated[str, typer.Option("--owner-id", metavar="NUMBER", help="Of the owner; see the output.")] = "",
    repo_id: Annotated[str, typer.Option("--repo-id", metavar="NUMBER", help="Of the repository.")] = "",
    output: PlainForm = TextOrJson.TEXT,
) -> None:
    """Print the identities and roles that jobs need. For an environment's plan, apply and reap: federated, least."""
    from deploy.github.federation import Repository

    repository = Repository(repo, owner_id, repo_id)
    found = runner.call(lambda commands, project: commands.federate(project, environment, repository))
    told = {"environment": environment, "repository": repo, "trusts": [asdict(trust) for trust in found]}
    console.show(json.dumps(told, indent=2) if output is TextOrJson.JSON else _in_words(found, repo))


def _in_words(trusts: Sequence[Trust], repo: str) -> str:
    """A script for a shell: what is not a command is a comment."""
    parts = [_HEAD.format(repo=repo)]
    for trust in trusts:
        lines = [f"# {trust.job}: GitHub environment {trust.environment}, identity {trust.identity}"]
        lines += [
            f"#   subject by {form:<6} {subject}{' (used below)' if form == trust.form else ''}"
            for form, subject in trust.subjects.items()
        ]
        lines += [f"#   {grant.role}: {grant.why}" for grant in trust.grants]
        parts.append("\n".join([*lines, *trust.commands]))
    return "\n\n".join(parts)
