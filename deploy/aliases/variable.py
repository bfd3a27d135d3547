"""An alias in a variable of a GitHub repository, through GitHub's REST API (repository variables, version 2022-11-28).

Which repository and where the API is come from GITHUB_REPOSITORY and GITHUB_API_URL, as on a runner; `repository` in
the file wins. The token is GH_TOKEN or GITHUB_TOKEN and needs the permission to write variables, which the token of a
workflow run does not have: a GitHub App's or a fine-grained one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.aliases.target import Context, Target, parsed
from deploy.errors import CloudError, Transient
from deploy.no_netrc import no_netrc_auth

_TIMEOUT = 30.0
_VERBS = {"GET": "read", "DELETE": "delete"}
_CURE = "Give GH_TOKEN a token that may write repository variables, and see that lease.alias names the right ones"


def read(alias: Mapping[str, Any], outside: Context) -> Target | None:
    """What the variable says; None when there is none."""
    answer = _ask("GET", alias, outside, f"/{alias['github_variable']}")
    return None if answer is None else parsed(str(answer.get("value") or ""))


def write(alias: Mapping[str, Any], target: Target, outside: Context) -> None:
    """Change the variable; make it when it is not there."""
    name = alias["github_variable"]
    body = {"name": name, "value": target.as_json()}
    if _ask("PATCH", alias, outside, f"/{name}", body) is None:
        _ask("POST", alias, outside, "", body)


def clear(alias: Mapping[str, Any], outside: Context) -> None:
    """Delete the variable; an absent one is success."""
    _ask("DELETE", alias, outside, f"/{alias['github_variable']}")


def _ask(
    method: str, alias: Mapping[str, Any], outside: Context, rest: str, body: Mapping[str, str] | None = None
) -> Any:
    """The answer's JSON ({} when empty); None for 404."""
    import requests

    what = f"{_VERBS.get(method, 'move')} the alias {alias['github_variable']}"
    repository = alias.get("repository") or outside.variables.get("GITHUB_REPOSITORY")
    token = outside.variables.get("GH_TOKEN") or outside.variables.get("GITHUB_TOKEN")
    if not repository or not token:
        missing = "GH_TOKEN" if repository else "lease.alias.repository or GITHUB_REPOSITORY"
        raise CloudError(what, f"{missing} is not set", _CURE, code="AML602")
    place = outside.variables.get("GITHUB_API_URL") or "https://api.github.com"
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    try:
        answer = requests.request(
            method, f"{place}/repos/{repository}/actions/variables{rest}", json=body, headers=headers,
            timeout=_TIMEOUT, auth=no_netrc_auth,
        )  # fmt: skip
    except requests.RequestException as error:
        raise Transient(what, f"GitHub could not be reached ({type(error).__name__})", _CURE, code="AML603") from error
    if answer.status_code == 404 and method != "POST":
        return None
    if answer.status_code >= 500 or answer.status_code == 429:
        raise Transient(what, f"GitHub answered {answer.status_code}", "Try again later", code="AML603")
    if answer.status_code >= 400:
        raise CloudError(what, f"GitHub answered {answer.status_code}: {_said(answer)}", _CURE, code="AML602")
    return _object(answer, what) if answer.content else {}


def _object(answer: Any, what: str) -> Any:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, Mapping):
        cause = "the answer is no JSON object: somebody between here and GitHub spoke"
        raise Transient(what, cause, "Check GITHUB_API_URL and the proxy", code="AML603")
    return told


def _said(answer: Any) -> str:
    try:
        return str(answer.json().get("message"))
    except (ValueError, AttributeError):
        return "(not JSON)"
