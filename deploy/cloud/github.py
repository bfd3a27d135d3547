"""Signing in from a job of GitHub Actions, without a secret: each sign-in brings an ID token asked for just then.

An ID token of GitHub's lives five minutes, an access token of Entra's about an hour and a run for many hours, so an ID
token that is kept signs in once and fails when it is needed again. Nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.clock import Clock
from deploy.cloud.transport import RETRIES, open_session, open_sign_in
from deploy.errors import DeployError, NotAuthenticated

URL, REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
"""What the runner gives a job with the permission `id-token: write`."""
PUBLIC = "api://AzureADTokenExchange"
AUDIENCES = {"AzureUSGovernment": f"{PUBLIC}USGov", "AzureChinaCloud": f"{PUBLIC}China"}
"""The audience that Entra documents for each sovereign cloud; every other cloud is the public one."""
_WHAT = "sign in as this GitHub Actions job"
PERMIT = "Give the job `permissions: {id-token: write, contents: read}`"
_FEDERATE = "Compare it with the federated credentials of the identity: amldeploy github federate prints the right ones"


def is_withheld(variables: Mapping[str, str]) -> bool:
    """Whether this is a job that says whom it wants to be and may not ask for ID tokens."""
    return (
        variables.get("GITHUB_ACTIONS") == "true" and bool(variables.get("AZURE_CLIENT_ID")) and not variables.get(URL)
    )


def is_offered(variables: Mapping[str, str]) -> bool:
    """Whether a job may ask for ID tokens and says whom it wants to be."""
    return all(variables.get(name) for name in (URL, "AZURE_CLIENT_ID", "AZURE_TENANT_ID"))


class GitHubCredential:
    """A credential for azure's clients; every sign-in asks GitHub for an ID token of its own.

    Raises NotAuthenticated, in words, where azure-identity would raise.
    """

    def __init__(self, variables: Mapping[str, str], cloud: str, authority: str | None, clock: Clock) -> None:
        from azure.identity import ClientAssertionCredential

        self.client = variables["AZURE_CLIENT_ID"]
        self._ask = _Asker(variables, AUDIENCES.get(cloud, PUBLIC), clock)
        tenant, more = variables["AZURE_TENANT_ID"], {"authority": authority} if authority else {}
        transport = open_sign_in(clock)
        self._inner = ClientAssertionCredential(tenant, self.client, self._ask, transport=transport, **more)

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """An access token for the scopes; the one at hand as long as it is good for five minutes more."""
        return self._in_words(self._inner.get_token, *scopes, **options)

    def get_token_info(self, *scopes: str, **options: Any) -> Any:
        """The same, in the form that newer clients ask for."""
        return self._in_words(self._inner.get_token_info, *scopes, **options)

    def close(self) -> None:
        self._inner.close()
        self._ask.close()

    def _in_words(self, ask: Any, *scopes: str, **options: Any) -> Any:
        from azure.core.exceptions import ClientAuthenticationError

        try:
            return ask(*scopes, **options)
        except ClientAuthenticationError as error:
            raise refused(str(error), self.client) from error


def refused(words: str, client: str) -> DeployError:
    """Our error for what Entra says to an ID token. Its words name issuer, subject and audience: no secrets."""
    told = " ".join(line.strip() for line in words.splitlines()[:3]).partition(" Trace ID:")[0]
    if any(code in words for code in ("AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213")):
        return NotAuthenticated(_WHAT, f"no federated credential of {client} fits: {told}", _FEDERATE, code="AML329")
    cure = f"Check AZURE_CLIENT_ID ({client}) and AZURE_TENANT_ID of the job's environment"
    return NotAuthenticated(_WHAT, told, cure, code="AML900")


class _Asker:
    """Asks the runner's service for an ID token, each time anew."""

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
            cure = "See GitHub's status page, then run the job again"
            cause = f"GitHub's token service gave no answer: {type(error).__name__}"
            raise NotAuthenticated(_WHAT, cause, cure, code="AML328") from error
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, str) or not value:
            cause = f"GitHub's token service answered {response.status_code} and gave no ID token"
            raise NotAuthenticated(_WHAT, cause, PERMIT, code="AML328")
        return value

    def close(self) -> None:
        self._client.close()
        self._transport.close()
