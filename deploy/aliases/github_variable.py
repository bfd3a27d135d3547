"""An alias in a variable of a GitHub repository, through GitHub's REST API (repository variables, version 2022-11-28).

The repository and the URL of the API are GITHUB_REPOSITORY and GITHUB_API_URL, which a runner sets; `repository` in the
file overrides the former. The token is GH_TOKEN or GITHUB_TOKEN and needs permission to write variables. The token of a
workflow run lacks it; use the token of a GitHub App or a fine-grained personal access token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.aliases.target import Context, Target, parse_target
from deploy.errors import CloudError, Transient
from deploy.no_netrc import no_netrc_auth

_TIMEOUT = 30.0
_VERBS = {"GET": "read", "DELETE": "delete"}
_CURE = "Set GH_TOKEN to a token that can write repository variables, and check the names in lease.alias"


def read(alias: Mapping[str, Any], context: Context) -> Target | None:
    """The target in the variable; None if there is no variable or its value is something else."""
    answer = _request("GET", alias, context, f"/{alias['github_variable']}")
    return None if answer is None else parse_target(str(answer.get("value") or ""))


def write(alias: Mapping[str, Any], target: Target, context: Context) -> None:
    """Update the variable, or create it."""
    name = alias["github_variable"]
    body = {"name": name, "value": target.as_json()}
    if _request("PATCH", alias, context, f"/{name}", body) is None:
        _request("POST", alias, context, "", body)


def clear(alias: Mapping[str, Any], context: Context) -> None:
    """Delete the variable; success if it does not exist."""
    _request("DELETE", alias, context, f"/{alias['github_variable']}")


def _request(
    method: str, alias: Mapping[str, Any], context: Context, rest: str, body: Mapping[str, str] | None = None
) -> Any:
    """The JSON of the response ({} if empty); None for 404."""
    import requests

    what = f"{_VERBS.get(method, 'move')} the alias {alias['github_variable']}"
    repository = alias.get("repository") or context.variables.get("GITHUB_REPOSITORY")
    token = context.variables.get("GH_TOKEN") or context.variables.get("GITHUB_TOKEN")
    if not repository or not token:
        missing = "GH_TOKEN" if repository else "lease.alias.repository or GITHUB_REPOSITORY"
        raise CloudError(what, f"{missing} is not set", _CURE, code="AML602")
    base = context.variables.get("GITHUB_API_URL") or "https://api.github.com"
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    try:
        answer = requests.request(
            method, f"{base}/repos/{repository}/actions/variables{rest}", json=body, headers=headers,
            timeout=_TIMEOUT, auth=no_netrc_auth,
        )  # fmt: skip
    except requests.RequestException as error:
        raise Transient(what, f"GitHub could not be reached ({type(error).__name__})", _CURE, code="AML603") from error
    if answer.status_code == 404 and method != "POST":
        return None
    if answer.status_code >= 500 or answer.status_code == 429:
        raise Transient(what, f"GitHub answered {answer.status_code}", "Try again later", code="AML603")
    if answer.status_code >= 400:
        raise CloudError(what, f"GitHub answered {answer.status_code}: {_message(answer)}", _CURE, code="AML602")
    return _object(answer, what) if answer.content else {}


def _object(answer: Any, what: str) -> Any:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        cause = "the response is not a JSON object; a proxy may have answered instead of GitHub"
        raise Transient(what, cause, "Check GITHUB_API_URL and the proxy", code="AML603")
    return found


def _message(answer: Any) -> str:
    try:
        return str(answer.json().get("message"))
    except (ValueError, AttributeError):
        return "(not JSON)"


def location(alias: Mapping[str, Any], context: Context) -> tuple[str, ...]:
    """Repository and variable. Their names are case-insensitive in GitHub."""
    repository = alias.get("repository") or context.variables.get("GITHUB_REPOSITORY") or ""
    return "variable", repository.lower(), str(alias["github_variable"]).lower()
