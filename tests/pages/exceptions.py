"""What the test of the pages does not run, each with its reason; what a page finds; what exits with another code."""

from __future__ import annotations

from dataclasses import dataclass

AZURE = "needs Azure and a sign-in"
GITHUB = "needs GitHub"
PACKAGES = "installs packages"
PROCESS = "starts a process that stays; the stories any-program and two-machines run it"
LEASE = "needs an endpoint on shared quota at a certain time; the stories renew and reap run it"
LOCK = "needs another run at the same time; the story two-machines runs it"
TERMINAL = "prints a key on a terminal only; tests/unit/cli/test_keys.py runs it"
OTHER_SHELL = "is for PowerShell"


@dataclass(frozen=True)
class Exempt:
    """A line, as a regular expression, that is not run. amldeploy's options in it are checked all the same.

    `block`: the whole block is not run if one of its lines matches.
    """

    page: str
    line: str
    reason: str
    block: bool = False


EXEMPT = (
    Exempt("README.md", r"scripts/(try|test)", "is what runs the tests, or tested by CI"),
    Exempt("README.md", r"pip install", PACKAGES),
    Exempt("README.md", r"apply -e dev", AZURE),
    Exempt("docs/index.md", r"pip install", PACKAGES),
    Exempt("docs/index.md", r"(doctor|plan|apply) +-e dev", AZURE),
    Exempt("docs/own-model.md", r"^amldeploy emulator scoring", PACKAGES),
    Exempt("docs/own-model.md", r"--template own-model", "is another way to start; test_starter_templates.py runs it"),
    Exempt("docs/own-model.md", r"az login|-e dev", AZURE),
    Exempt("docs/existing-endpoint.md", r"-e dev", AZURE),
    Exempt("docs/acceptance.md", r"scripts/acceptance|az login", "takes minutes; tests/acceptance runs it"),
    Exempt("docs/github-actions.md", r"^trust\(\)", f"{GITHUB} or {AZURE}", block=True),
    Exempt("docs/emulator.md", r"emulator start", PROCESS, block=True),
    Exempt("docs/emulator.md", r"Out-String", OTHER_SHELL, block=True),
    Exempt("docs/emulator.md", r"curl ", PROCESS, block=True),
    Exempt("docs/leases.md", r"^(amldeploy lease reap .*jq|test .*gh issue)", GITHUB),
    Exempt("docs/runs.md", r"^amldeploy status -e dev -e prod", AZURE),
    Exempt("docs/locks.md", r"^amldeploy apply -e prod$", LOCK),
    Exempt("docs/locks.md", r"LOCK_ID", LOCK),
    Exempt("docs/commands.md", r"LOCK_ID", LOCK),
    Exempt("docs/commands.md", r"lease restore", LEASE),
    Exempt(
        "docs/cases.md", r"probe -e dev", "needs cases and a second deployment; tests/laws/test_cases.py runs it", True
    ),
    Exempt("docs/cases.md", r"benchmarks/", "takes minutes", block=True),
    Exempt("docs/gate.md", r"rollback -e dev", "needs a rollout; tests/laws/test_gate.py runs it"),
    Exempt("docs/invoke.md", r"keys show -e prod mip$", TERMINAL),
)

SHAPES = frozenset(
    {
        "amldeploy COMMAND --help",
        "amldeploy emulator ...",
        "amldeploy -C DIR ...",
        "amldeploy import --adopt -e ENV KEY",
        "amldeploy --install-completion",
    }
)
"""The form of several commands, not one of them; and one that changes files of the shell in the home folder."""

WORDS = {
    "docs/commands.md": {"NAME": "live-2"},
    "docs/invoke.md": {"KEY": "mip"},
    "docs/preflight.md": {"ENVIRONMENT": "local"},
}
"""Page -> placeholder -> what the test types."""

EXITS = {("docs/index.md", "amldeploy validate -e dev"): 3}
"""Page and command -> its exit code, if it is not 0."""

DEFAULT = ("docs/index.md", "docs/own-model.md", "docs/template-functions.md", "docs/github-actions.md")
"""Pages that are run by default; the others with `--laws full`, because they take half a minute."""

EMPTY = frozenset(
    {"docs/index.md", "docs/own-model.md", "docs/custom-container.md", "docs/medical-models.md", "README.md"}
)
"""Pages that begin in an empty folder. All others begin in a project with the endpoint mip in local, dev and prod."""

CHANGED = "sed -i 's/values: {/values: {max_concurrent: 4, /' environments/prod.yml"
GIVEN = {
    "docs/rollback.md": f"{CHANGED} && amldeploy apply -e prod >&2",
    "docs/cost.md": CHANGED,
    "docs/commands.md": "sed -i 's/values: {/values: {max_concurrent: 4, /' environments/local.yml",
}
"""Page -> what is done before it is read."""
