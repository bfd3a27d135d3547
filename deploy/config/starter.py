"""What `init` writes into a project: templates, environment files, schemas for editors, a workflow for GitHub.

The templates are the folder `templates/` of the repository, which the wheel contains as `deploy/templates`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_STARTER = _PACKAGE / "starter"
SCHEMAS = ".schemas"
"""The folder of a project with the JSON Schemas of its files."""
DEFAULT = "medimageparse"
_KINDS = ("environment", "endpoint", "deployment", "pipeline", "case", "cases")
"""The kinds of files that users write; each has a JSON Schema."""
WORKFLOW = ".github/workflows/amldeploy.yml"
SOURCE = "OWNER/amldeploy"
COMMIT = "COMMIT"
"""What a workflow names when the repository and commit of this installation are unknown."""
_LINKED = re.compile(r"(# yaml-language-server: \$schema=(?:\.\./)+)deploy/schemas/")
_OMITTED = frozenset({"__pycache__", ".git", ".venv", ".amldeploy", ".ipynb_checkpoints", ".DS_Store"})


def shipped_templates() -> Path:
    """The folder of the shipped templates: in the package, or in the checkout of an editable installation."""
    packaged = _PACKAGE / "templates"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "templates"


def names() -> list[str]:
    """The names of the shipped templates."""
    return sorted(path.name for path in shipped_templates().iterdir() if path.is_dir())


def template_files(folder: Path) -> dict[str, Path]:
    """Relative path -> file of a template folder, without caches and repositories inside it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path
        for path in files
        if not _OMITTED & set(path.relative_to(folder).parts) and path.suffix != ".pyc"
    }


def linked(content: bytes) -> bytes:
    """A shipped file whose line for the editor names the schema in the project."""
    try:
        return _LINKED.sub(rf"\g<1>{SCHEMAS}/", content.decode("utf-8")).encode()
    except UnicodeDecodeError:
        return content


def key_of(template: str) -> str:
    """The key of an entry for a template: at most 20 characters, so that endpoint names can end with more."""
    words = re.sub(r"[^a-z0-9]+", "-", template.lower()).lstrip("-0123456789")
    return words[:20].rstrip("-") or "model"


def environment_file(name: str, templates: Iterable[str]) -> str:
    """The text of `local` or `dev` with an entry for each template."""
    entries = {key_of(template): template for template in templates}
    lines = [f"  {key}:\n    template: {template}\n" for key, template in entries.items()]
    return (_STARTER / f"{name}.yml").read_text(encoding="utf-8") + "".join(lines)


def gitignore() -> str:
    """The lines of `.gitignore`."""
    return (_STARTER / "gitignore").read_text(encoding="utf-8")


def schemas() -> Mapping[str, str]:
    """File name -> JSON Schema of each kind of file that users write."""
    files = (f"{kind}.json" for kind in _KINDS)
    return {name: (_PACKAGE / "schemas" / name).read_text(encoding="utf-8") for name in files}


def workflow() -> tuple[str, bool]:
    """The workflow for GitHub, and whether it names the repository and commit of this installation."""
    text = (_STARTER / "workflow.yml").read_text(encoding="utf-8")
    found = installed_from()
    if found is None:
        return text, False
    return text.replace(f"{SOURCE}/", f"{found[0]}/").replace(f"@{COMMIT}", f"@{found[1]}"), True


def installed_from() -> tuple[str, str] | None:
    """`owner/name` and commit if pip installed amldeploy from GitHub (direct_url.json of PEP 610); None otherwise."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        text = distribution("amldeploy").read_text("direct_url.json") or "{}"
    except PackageNotFoundError:
        return None
    return source_of(text)


def source_of(direct_url: str) -> tuple[str, str] | None:
    """`owner/name` and commit of a direct_url.json that names a repository on GitHub."""
    found = json.loads(direct_url)
    place = re.fullmatch(r"(?:https|ssh)://(?:git@)?github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", found.get("url", ""))
    commit = found.get("vcs_info", {}).get("commit_id", "")
    return (place[1], commit) if place and re.fullmatch(r"[0-9a-f]{40}", commit) else None
