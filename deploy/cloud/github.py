"""Sign-in from a job of GitHub Actions without a secret: each sign-in requests a new ID token.

A GitHub ID token is valid for five minutes, an Entra access token for about an hour, and a run can take many hours. A
stored ID token would fail at the second sign-in, so none is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.clock import Clock
from deploy.cloud.transport import RETRIES, open_plain, open_session
from deploy.errors import DeployError, NotAuthenticated

URL, REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
"""Variables that the runner sets in a job with the permission `id-token: write`."""
PUBLIC = "api://AzureADTokenExchange"
AUDIENCES = {"AzureUSGovernment": f"{PUBLIC}USGov", "AzureChinaCloud": f"{PUBLIC}China"}
"""The audience that Entra documents for each sovereign cloud; every other cloud is the public one."""
_WHAT = "sign in as this GitHub Actions job"
PERMIT = "Add `permissions: {id-token: write, contents: read}` to the job"
_FEDERATE = "Compare it with the federated credentials that amldeploy github federate prints"


def lacks_id_token_permission(variables: Mapping[str, str]) -> bool:
    """Whether this job has a client id, but no permission to request ID tokens."""
    return (
        variables.get("GITHUB_ACTIONS") == "true" and bool(variables.get("AZURE_CLIENT_ID")) and not variables.get(URL)
    )


def can_request_id_token(variables: Mapping[str, str]) -> bool:
    """Whether this job has a client id and can request ID tokens."""
    return all(variables.get(name) for name in (URL, "AZURE_CLIENT_ID", "AZURE_TENANT_ID"))


class GitHubCredential:
    """A credential for azure's clients that requests a new ID token from GitHub for each sign-in.

    Raises NotAuthenticated instead of azure-identity's exceptions.
    """

    def __init__(self, variables: Mapping[str, str], cloud: str, authority: str | None, clock: Clock) -> None:
        from azure.identity import ClientAssertionCredential

        self.client = variables["AZURE_CLIENT_ID"]
        self._request = _TokenRequest(variables, AUDIENCES.get(cloud, PUBLIC), clock)
        tenant, more = variables["AZURE_TENANT_ID"], {"authority": authority} if authority else {}
        transport = open_plain(clock)
        self._inner = ClientAssertionCredential(tenant, self.client, self._request, transport=transport, **more)

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """An access token for the scopes; a cached one if it is valid for at least five more minutes."""
        return self._in_words(self._inner.get_token, *scopes, **options)

    def get_token_info(self, *scopes: str, **options: Any) -> Any:
        """An access token in the form that newer clients use."""
        return self._in_words(self._inner.get_token_info, *scopes, **options)

    def close(self) -> None:
        self._inner.close()
        self._request.close()

    def _in_words(self, ask: Any, *scopes: str, **options: Any) -> Any:
        from azure.core.exceptions import ClientAuthenticationError

        try:
            return ask(*scopes, **options)
        except ClientAuthenticationError as error:
            raise refused(str(error), self.client) from error


def refused(words: str, client: str) -> DeployError:
    """The error for an ID token that Entra refused. The message contains issuer, subject and audience, no secrets."""
    message = " ".join(line.strip() for line in words.splitlines()[:3]).partition(" Trace ID:")[0]
    if any(code in words for code in ("AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213")):
        return NotAuthenticated(
            _WHAT, f"no federated credential of {client} matches: {message}", _FEDERATE, code="AML329"
        )
    cure = f"Check AZURE_CLIENT_ID ({client}) and AZURE_TENANT_ID of the job's environment"
    return NotAuthenticated(_WHAT, message, cure, code="AML900")


class _TokenRequest:
    """Requests a new ID token from the runner's service."""

    def __init__(self, variables: Mapping[str, str], audience: str, clock: Clock) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        self._url, self._token = variables[URL], variables.get(REQUEST_TOKEN, "")
        self._audience = audience
        self._transport = open_session(clock, None)
        steps = [policies.UserAgentPolicy("amldeploy"), policies.RetryPolicy(**RETRIES)]
        self._client: Any = PipelineClient(self._url, transport=self._transport, policies=steps)

    def __call__(self) -> str:
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        if not self._token:
            raise NotAuthenticated(_WHAT, f"{REQUEST_TOKEN} is not set", PERMIT, code="AML328")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        request = HttpRequest("GET", self._url, params={"audience": self._audience}, headers=headers)
        try:
            response = self._client.send_request(request)
            body = response.json() if response.status_code == 200 else {}
        except (AzureError, ValueError) as error:
            cure = "Check GitHub's status page, then run the job again"
            cause = f"GitHub's token service did not answer: {type(error).__name__}"
            raise NotAuthenticated(_WHAT, cause, cure, code="AML328") from error
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, str) or not value:
            cause = f"GitHub's token service answered {response.status_code} without an ID token"
            raise NotAuthenticated(_WHAT, cause, PERMIT, code="AML328")
        return value

    def close(self) -> None:
        self._client.close()
        self._transport.close()
