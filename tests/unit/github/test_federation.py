"""Trust: the subjects that GitHub writes, the least roles, commands that a shell reads as they are meant."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import commands
from deploy.cloud.role_assignments import BUILT_IN
from deploy.domain.spec import Environment
from deploy.errors import UsageError
from deploy.github import federation
from deploy.github.federation import Repository
from tests.project import ROOT
from tests.unit.specs import spec

SCHEMA = json.loads((ROOT / "deploy" / "schemas" / "federate.json").read_text())
PROJECT = commands.Project(ROOT)
ODD = Environment("dev", "AzureCloud", "s", "it's ${x}", "ws", ("mip",))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


def test_the_subjects_in_both_forms() -> None:
    """As GitHub documents them: names, and names with numbers behind an @."""
    trusts = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo", "123456", "456789"))
    plan, apply, reap, rollback = trusts
    assert plan.subjects == {
        "names": "repo:octo-org/octo-repo:environment:dev-plan",
        "ids": "repo:octo-org@123456/octo-repo@456789:environment:dev-plan",
    }
    assert apply.subjects["ids"] == "repo:octo-org@123456/octo-repo@456789:environment:dev"
    assert apply.form == "ids"
    assert reap.subjects["ids"] == "repo:octo-org@123456/octo-repo@456789:environment:dev-reap"
    assert rollback.subjects["ids"] == "repo:octo-org@123456/octo-repo@456789:environment:dev-rollback"
    for trust in trusts:
        assert any(f"--subject {trust.subjects['ids']} " in command for command in trust.commands)


def test_the_plan_identity_only_reads() -> None:
    """One role; who applies may give no role but those of the files."""
    plan, apply, *_ = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    assert [grant.role for grant in plan.grants] == ["Reader"]
    roles = {grant.role: grant for grant in apply.grants}
    assert set(roles) == {"Reader", "AzureML Data Scientist", "Role Based Access Control Administrator"}
    condition = roles["Role Based Access Control Administrator"].condition
    assert condition.count("GuidEquals {4633458b-17de-408a-b874-0445c86b69e6}") == 2
    assert plan.form == "names"


def test_reap_and_apply_use_the_same_identity() -> None:
    """The same identity in an environment without reviewers: a credential more, and no role is given twice."""
    _, apply, reap, _ = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    assert (reap.identity, reap.grants) == (apply.identity, apply.grants)
    assert not any(command.startswith("az role") for command in reap.commands)
    [one], [other] = ([c for c in trust.commands if "federated-credential" in c] for trust in (apply, reap))
    names = [words[words.index("--name") + 1] for words in (shlex.split(one), shlex.split(other))]
    assert names == ["github", "github-reap"]
    assert any("--env dev-reap" in command for command in reap.commands)
    assert [sum(c.startswith("az identity create ") for c in trust.commands) for trust in (apply, reap)] == [1, 0]


def test_the_environments_on_github_are_created_before_their_variables(tmp_path: Path) -> None:
    """With a `gh` that records: reviewers for apply and rollback, only main except for plan. Without the team, apply's
    environment is not created without reviewers: the request is no valid JSON.
    """
    trusts = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    lines = [line for trust in trusts for line in trust.commands if line.startswith(("gh ", "reviewers="))]
    for team, reviewers in (('[{"type": "Team", "id": 7}]', [{"type": "Team", "id": 7}]), ("", None)):
        seen = tmp_path / f"seen{len(team)}"
        fake = f"""gh() {{ case "$*" in
            *orgs/octo-org/teams/TEAM*) echo '{team}' ;;
            *--input*) echo "$4 $(cat)" >>"{seen}" ;;
            *) echo "$*" >>"{seen}" ;;
        esac; }}"""
        script = "\n".join(["client=c tenant=t", fake, *lines])
        subprocess.run(["bash", "-c", script], check=True)  # noqa: S607
        place = "repos/octo-org/octo-repo/environments/dev"
        rows = seen.read_text().splitlines()
        assert rows[0] == f"api --method PUT {place}-plan"
        bodies = dict(row.split(" ", 1) for row in rows if row.startswith("repos/"))
        reap = json.loads(bodies[f"{place}-reap"])
        assert reap == {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}
        for name, own in ((place, True), (f"{place}-rollback", False)):
            if reviewers is None:
                with pytest.raises(json.JSONDecodeError):
                    json.loads(bodies[name])
            else:
                assert json.loads(bodies[name]) == {**reap, "reviewers": reviewers, "prevent_self_review": own}
            assert f"api --method POST {name}/deployment-branch-policies -f name=main" in rows
        for trust in trusts:
            uses = [number for number, row in enumerate(rows) if f"--env {trust.environment} " in row]
            made = next(n for n, row in enumerate(rows) if row.split(" {")[0].endswith(f"/{trust.environment}"))
            assert len(uses) == 2
            assert made < min(uses)


def test_the_rollback_identity_cannot_assign_roles() -> None:
    """An identity of its own with all roles of apply but one: other people can approve a rollback."""
    _, apply, _, rollback = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    assert (rollback.environment, rollback.identity) == ("dev-rollback", "id-amldeploy-dev-rollback")
    assert rollback.identity != apply.identity
    roles = [grant.role for grant in rollback.grants]
    assert roles == [grant.role for grant in apply.grants if not grant.role.startswith("Role Based Access Control")]
    assert set(roles) == {"Reader", "AzureML Data Scientist"}


def test_roles_for_the_lock_are_not_assigned_by_default() -> None:
    """Data Scientist reads the credential of the datastore. The commands for other workspaces are comments; who plans
    needs no lock, and reap has the identity of apply.
    """
    trusts = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    found = {trust.job: [role.grant.role for role in trust.lock_roles] for trust in trusts}
    both = ["Storage Blob Data Contributor", "amldeploy lock rg-imaging-dev 11111111"]
    assert found == {"plan": [], "apply": both, "reap": [], "rollback": both}
    for trust in trusts:
        assert not any("torage" in command for command in trust.commands)
    _, closed = trusts[1].lock_roles
    names = [action.partition("containers/")[2] for action in closed.grant.actions]
    assert names == ["read", "write", "lease/action"]


def test_the_shell_finds_the_scope_of_the_lock(tmp_path: Path) -> None:
    """With an `az` that answers as Azure: the scope is the container or the account of the workspace's storage, and a
    custom role is created once, in the resource group of the account.
    """
    group, guid = "/subscriptions/s/resourceGroups/rg 2", "0d"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/st"
    answers = f"""case "$*" in
        *properties.storageAccount) echo "{account}" ;;
        *properties.workspaceId) echo {guid} ;;
        *) printf '%s\\0' "$@" >>"{tmp_path}/seen"; echo >>"{tmp_path}/seen" ;;
    esac"""
    trusts = federation.trusts(ODD, [spec()], Repository("o/r"), "api://a", BUILT_IN)
    lines = [line for trust in trusts for role in trust.lock_roles for line in role.commands]
    script = "\n".join(["set -eu", "principal=p", "az() {", answers, "}", *lines])
    subprocess.run(["bash", "-c", script], check=True)  # noqa: S607
    seen = [line.split("\0") for line in (tmp_path / "seen").read_text().splitlines()]
    scopes = [words[words.index("--scope") + 1] for words in seen if "--scope" in words]
    assert scopes == [f"{account}/blobServices/default/containers/azureml-blobstore-{guid}", account] * 2
    (defined,) = [json.loads(words[4]) for words in seen if words[:3] == ["role", "definition", "create"]]
    assert (defined["AssignableScopes"], defined["Name"]) == ([group], "amldeploy lock it's ${x} s")
    assert [words[words.index("--role") + 1] for words in seen if "--role" in words][1::2] == [defined["Name"]] * 2


def test_a_role_of_unknown_id_is_not_narrowed() -> None:
    """A condition that leaves a needed role out would refuse what the plan needs."""
    assert federation._only({"Made by us"}, BUILT_IN) == ""
    assert federation._only({"acrpull"}, BUILT_IN)


@pytest.mark.parametrize(
    "repository",
    [
        Repository("octo"),
        Repository("a/b c"),
        Repository("a/b", "1", "x"),
        Repository("a/b", "1"),
        Repository("a/b", "", "2"),
    ],
)
def test_what_is_no_repository(repository: Repository) -> None:
    """The error is raised before any command is printed."""
    with pytest.raises(UsageError) as caught:
        commands.federate(PROJECT, "dev", repository)
    assert caught.value.code == "AML662"


def test_an_emulator_environment_needs_no_project() -> None:
    """It has no sign-in."""
    with pytest.raises(UsageError) as caught:
        commands.federate(PROJECT, "local", Repository("a/b"))
    assert caught.value.code == "AML663"


@given(group=WORDS, workspace=WORDS, name=WORDS)
def test_commands_are_quoted_for_the_shell(group: str, workspace: str, name: str) -> None:
    """Whatever a name holds, it is one word of the command that it belongs to."""
    environment = Environment(name, "AzureCloud", "s", group, workspace, ("mip",))
    for trust in federation.trusts(environment, [spec()], Repository("o/r"), "api://a", BUILT_IN):
        credential = next(shlex.split(command) for command in trust.commands if "federated-credential" in command)
        assert credential[credential.index("--resource-group") + 1] == group
        assert credential[credential.index("--subject") + 1] == trust.subjects["names"]
        granted = [shlex.split(command) for command in trust.commands if command.startswith("az role")]
        scopes = [grant.scope for grant in trust.grants] if trust.job != "reap" else []
        assert [words[words.index("--scope") + 1] for words in granted] == scopes
        for role in trust.lock_roles:
            shown = shlex.split(role.commands[0].removeprefix("storage=$(").removesuffix(")"))
            assert shown[shown.index("--ids") + 1] == environment.workspace_id


def test_json_fits_its_schema() -> None:
    """And the text is a script that bash can read."""
    command = [sys.executable, "-m", "deploy", "github", "federate", "-e", "prod", "--repo", "octo-org/octo-repo"]
    told = json.loads(subprocess.run([*command, "-o", "json"], cwd=ROOT, capture_output=True, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(told, SCHEMA)
    trusts = commands.federate(PROJECT, "prod", Repository("octo-org/octo-repo"))
    assert told["trusts"] == json.loads(json.dumps([asdict(trust) for trust in trusts]))
    script = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0  # noqa: S607
    lines = script.splitlines()
    for trust in trusts:
        assert set(trust.commands) <= set(lines)
        assert {f"#   {command}" for role in trust.lock_roles for command in role.commands} <= set(lines)
        assert {f"# Only if {role.when} ({role.grant.role}: {role.grant.why}):" for role in trust.lock_roles} <= set(
            lines
        )


def test_scale_gets_a_role_with_three_actions() -> None:
    """A custom role on the resource group, created before it is assigned; none without `scale`."""
    workspace = Environment("dev", "AzureCloud", "sub-1", "rg", "ws", ("mip",))
    specs = [spec(pipeline={"scale": {"min": 1, "max": 2}})]
    _, apply, _, rollback = federation.trusts(workspace, specs, Repository("o/r"), "api://a", BUILT_IN)
    (grant,) = [grant for grant in apply.grants if grant.actions]
    words = [shlex.split(command) for command in apply.commands if grant.role in command]
    custom = json.loads(words[0][words[0].index("--role-definition") + 1])

    assert [" ".join(command[:4]) for command in words] == ["az role definition create", "az role assignment create"]
    again = [" ".join(shlex.split(command)[:4]) for command in rollback.commands if grant.role in command]
    assert again == ["az role assignment create"]
    assert custom == {
        "Name": grant.role,
        "Actions": [f"Microsoft.Insights/AutoscaleSettings/{verb}" for verb in ("Read", "Write", "Delete")],
        "AssignableScopes": ["/subscriptions/sub-1/resourceGroups/rg"],
    }
    without = federation.trusts(workspace, [spec()], Repository("o/r"), "api://a", BUILT_IN)
    assert not any(grant.actions for trust in without for grant in trust.grants)
