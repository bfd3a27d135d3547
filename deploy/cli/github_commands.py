"""The commands `amldeploy github ...`: what a repository needs on GitHub and in Azure. They print commands only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import command_help, output, runner
from deploy.cli.options import Environment, PlainFormat
from deploy.cli.output import TextOrJson, View

if TYPE_CHECKING:
    from deploy.github.federation import Trust

_HEADER = """\
# Run this before the first push: GitHub creates a missing environment, without reviewers, when a job names it.
# Before that, replace each TEAM by the team that approves. For a person, or without reviewers, change the line to:
#   reviewers=$(gh api users/LOGIN --jq '[{{type: "User", id}}]')
#   reviewers='[]'
# In Azure this needs Owner, or Contributor and User Access Administrator, on the subscription (for the role Reader);
# on GitHub, an administrator of the repository.
# GitHub uses one of two forms for a job's subject. It uses ids when this prints use_immutable_subject: true:
#   gh api repos/{repo}/actions/oidc/customization/sub
# The numbers for --owner-id and --repo-id:
#   gh api repos/{repo} --jq '.owner.id, .id'
# Quota belongs to the subscription. An identity without read access there plans without it, with a note."""
app = command_help.group("github", "Connect GitHub Actions with Azure.")


@app.callback()
def _group() -> None:
    """Connect GitHub Actions with Azure."""


def federate(
    environment: Environment,
    repo: Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="Repository on GitHub.")],
    owner_id: Annotated[
        str, typer.Option("--owner-id", metavar="ID", help="Numeric GitHub owner id; with --repo-id.")
    ] = "",
    repo_id: Annotated[
        str, typer.Option("--repo-id", metavar="ID", help="Numeric GitHub repository id; with --owner-id.")
    ] = "",
    output_format: PlainFormat = TextOrJson.TEXT,
) -> None:
    """Print the commands that set up GitHub and Azure.

    The roles have only the permissions that plan, apply, reap and rollback use. Reads only files: no sign-in is needed.
    """
    from deploy.github.federation import Repository

    repository = Repository(repo, owner_id, repo_id)
    found = runner.run(lambda commands, project: commands.federate(project, environment, repository))
    document = {"environment": environment, "repository": repo, "trusts": [asdict(trust) for trust in found]}
    output.show(View(lambda: _script(found, repo), lambda: document), output_format)


command_help.add(app, federate, "amldeploy github federate -e prod --repo OWNER/NAME", "docs/github-actions.md")


def _script(trusts: Sequence[Trust], repo: str) -> str:
    """A shell script; what is not a command is a comment."""
    parts = [_HEADER.format(repo=repo)]
    jobs: dict[str, str] = {}
    for trust in trusts:
        lines = [f"# {trust.job}: GitHub environment {trust.environment}, identity {trust.identity}"]
        former = jobs.setdefault(trust.identity, trust.job)
        if former != trust.job:
            lines.append(f"#   the identity of {former}: created above, with its roles")
        lines += [
            f"#   subject by {form:<6} {subject}{' (used below)' if form == trust.form else ''}"
            for form, subject in trust.subjects.items()
        ]
        lines += [f"#   {grant.role}: {grant.why}" for grant in trust.grants if former == trust.job]
        parts.append("\n".join([*lines, *trust.commands, *_lock_lines(trust)]))
    return "\n\n".join(parts)


def _lock_lines(trust: Trust) -> list[str]:
    """The commands for roles that only some workspaces need, as comments."""
    lines = []
    for role in trust.lock_roles:
        lines.append(f"# Only if {role.when} ({role.grant.role}: {role.grant.why}):")
        lines += [f"#   {command}" for command in role.commands]
    return lines
