"""Trust: the subjects that GitHub writes, the least roles, commands that a shell reads as they are meant."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import asdict

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
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


def test_the_subjects_in_both_forms() -> None:
    """As GitHub documents them: names, and names with numbers behind an @."""
    plan, apply, reap = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo", "123456", "456789"))
    assert plan.subjects == {
        "names": "repo:octo-org/octo-repo:environment:dev-plan",
        "ids": "repo:octo-org@123456/octo-repo@456789:environment:dev-plan",
    }
    assert apply.subjects["ids"] == "repo:octo-org@123456/octo-repo@456789:environment:dev"
    assert apply.form == "ids"
    assert reap.subjects["ids"] == "repo:octo-org@123456/octo-repo@456789:environment:dev-reap"
    for trust in (plan, apply, reap):
        assert any(f"--subject {trust.subjects['ids']} " in command for command in trust.commands)


def test_the_plan_identity_only_reads() -> None:
    """One role; who applies may give no role but those of the files."""
    plan, apply, _ = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    assert [grant.role for grant in plan.grants] == ["Reader"]
    roles = {grant.role: grant for grant in apply.grants}
    assert set(roles) == {"Reader", "AzureML Data Scientist", "Role Based Access Control Administrator"}
    condition = roles["Role Based Access Control Administrator"].condition
    assert condition.count("GuidEquals {4633458b-17de-408a-b874-0445c86b69e6}") == 2
    assert plan.form == "names"


def test_reap_and_apply_use_the_same_identity() -> None:
    """The same identity in an environment without reviewers: a credential more, and no role is given twice."""
    _, apply, reap = commands.federate(PROJECT, "dev", Repository("octo-org/octo-repo"))
    assert (reap.identity, reap.grants) == (apply.identity, apply.grants)
    assert not any(command.startswith("az role") for command in reap.commands)
    [one], [other] = ([c for c in trust.commands if "federated-credential" in c] for trust in (apply, reap))
    names = [words[words.index("--name") + 1] for words in (shlex.split(one), shlex.split(other))]
    assert names == ["github", "github-reap"]
    assert any("--env dev-reap" in command for command in reap.commands)


def test_a_role_of_unknown_id_is_not_narrowed() -> None:
    """A condition that leaves a needed role out would refuse what the plan needs."""
    assert federation._only({"Made by us"}, BUILT_IN) == ""
    assert federation._only({"acrpull"}, BUILT_IN)


@pytest.mark.parametrize("repository", [Repository("octo"), Repository("a/b c"), Repository("a/b", "1", "x")])
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
        made, credential, *_ = (shlex.split(command) for command in trust.commands)
        assert made[made.index("--resource-group") + 1] == group
        assert credential[credential.index("--subject") + 1] == trust.subjects["names"]
        granted = [shlex.split(command) for command in trust.commands if command.startswith("az role")]
        scopes = [grant.scope for grant in trust.grants] if trust.job != "reap" else []
        assert [words[words.index("--scope") + 1] for words in granted] == scopes


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
    assert all(command in script for trust in trusts for command in trust.commands)


def test_scale_gets_a_role_with_three_actions() -> None:
    """A custom role on the resource group, created before it is assigned; none without `scale`."""
    workspace = Environment("dev", "AzureCloud", "sub-1", "rg", "ws", ("mip",))
    specs = [spec(pipeline={"scale": {"min": 1, "max": 2}})]
    _, apply, _ = federation.trusts(workspace, specs, Repository("o/r"), "api://a", BUILT_IN)
    (grant,) = [grant for grant in apply.grants if grant.actions]
    words = [shlex.split(command) for command in apply.commands if grant.role in command]
    custom = json.loads(words[0][words[0].index("--role-definition") + 1])

    assert [" ".join(command[:4]) for command in words] == ["az role definition create", "az role assignment create"]
    assert custom == {
        "Name": grant.role,
        "Actions": [f"Microsoft.Insights/AutoscaleSettings/{verb}" for verb in ("Read", "Write", "Delete")],
        "AssignableScopes": ["/subscriptions/sub-1/resourceGroups/rg"],
    }
    without = federation.trusts(workspace, [spec()], Repository("o/r"), "api://a", BUILT_IN)
    assert not any(grant.actions for trust in without for grant in trust.grants)
