"""The command render: the CLI v2 YAML of an environment's endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from deploy import reporter
from deploy.commands.project import Project, validate


def render(
    project: Project, name: str, only: Sequence[str] = (), *, whole: bool = True, plain: bool = False
) -> dict[str, str]:
    """File name -> YAML for `az ml`, in one folder for each endpoint. Secrets are hidden unless `whole`.

    `plain`: ASCII only, with YAML escapes.
    """
    _, specs = validate(project, name, only)
    files = [reporter.cli_files(spec, project.root, whole=whole, plain=plain) for spec in specs]
    return {path: text for each in files for path, text in each.items()}
