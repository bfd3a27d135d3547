"""Scoring requests: one POST to a scoring URI, with our own HTTP client.

Not azure-ai-ml's `invoke`: it reuses headers for all later calls of the process, so a probe of one slot would affect
later calls; it also retries some failures. Here one call is one request.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from deploy.cloud import response_schemas
from deploy.cloud.connect import Cloud
from deploy.cloud.endpoints import endpoint_path
from deploy.cloud.error_translation import retry_after_seconds, translated_errors
from deploy.cloud.operations import VERSION
from deploy.domain.arm import Json
from deploy.errors import CloudError, Transient
from deploy.no_netrc import no_netrc_auth
from deploy.redact import redact_values


@dataclass(frozen=True)
class Answer:
    """The response of a scoring URI. `model_status` is the container's status if it was not 200."""

    status: int
    body: bytes
    seconds: float
    request_id: str
    model_status: int | None = None
    model_reason: str = ""
    retry_after: float | None = None


def read_key(cloud: Cloud, endpoint: Json) -> str:
    """What follows `Bearer `: a key, a token of the endpoint or an Entra token, by the endpoint's auth mode."""
    key = _read(cloud, endpoint)
    if key:
        cloud.on_secret(key)
    return key


def _read(cloud: Cloud, endpoint: Json) -> str:
    name, mode = endpoint["name"], str(endpoint["properties"].get("authMode")).lower()
    path = endpoint_path(cloud, name)
    if mode == "aadtoken":
        with translated_errors(f"sign in to {name}"):
            return str(cloud.credential.get_token(cloud.hosts.data).token)
    if mode == "amltoken":
        return str(
            cloud.arm.post(f"{path}/token", VERSION, f"fetch a token of {name}", response_schemas.Token)["accessToken"]
        )
    keys = cloud.arm.post(f"{path}/listKeys", VERSION, f"fetch the key of {name}", response_schemas.Keys)
    return keys.get("primaryKey") or ""


def score(cloud: Cloud, endpoint: Json, deployment: str, body: bytes, *, timeout: float, what: str) -> Answer:
    """POST `body` to one deployment of an endpoint, whatever its share of traffic; `timeout` in seconds."""
    import requests

    uri = endpoint["properties"].get("scoringUri")
    if not uri:
        raise Transient(
            what, "the endpoint has no scoring URI yet", "Wait until the endpoint is provisioned", code="AML370"
        )
    key = read_key(cloud, endpoint)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "azureml-model-deployment": deployment,
    }
    started = time.perf_counter()
    try:
        answer = requests.post(
            uri, data=body, headers=headers, timeout=timeout, verify=cloud.ca or True, auth=no_netrc_auth
        )
    except requests.Timeout:
        raise Transient(
            what, f"no answer within {timeout:g} s", "Raise probe.timeout or request_timeout_ms", code="AML371"
        ) from None
    except requests.RequestException as error:
        raise Transient(what, str(error), "Check the network connection to the scoring URI", code="AML372") from None
    secrets = {key} if key else set()
    model = answer.headers.get("ms-azureml-model-error-statuscode", "")
    return Answer(
        status=answer.status_code,
        body=redact_values(answer.content, secrets),
        seconds=time.perf_counter() - started,
        request_id=redact_values(answer.headers.get("x-request-id", ""), secrets),
        model_status=int(model) if model.isdecimal() else None,
        model_reason=redact_values(answer.headers.get("ms-azureml-model-error-reason", ""), secrets),
        retry_after=retry_after_seconds(answer.headers),
    )


def refusal(answer: Answer, what: str) -> CloudError | None:
    """The error for a response that is not the model's; None for a model's response.

    Statuses as documented for managed online endpoints: 401 no permission or an expired token, 404 no deployment
    reached, 408 too slow, 424 the container answered other than 200, 429 too many requests, 5xx service errors.
    """
    if answer.status == 424:
        return _of_the_model(answer, what)
    if answer.status not in _REFUSALS:
        return None
    code, words, cure = _REFUSALS[answer.status]
    kind = CloudError if answer.status in (401, 403) else Transient
    ours = kind(
        what, f"HTTP {answer.status}, {words}", cure, code=code, status=answer.status, request_id=answer.request_id
    )
    ours.after_role = answer.status in (401, 403)
    if isinstance(ours, Transient):
        ours.retry_after = answer.retry_after
    return ours


def _of_the_model(answer: Answer, what: str) -> CloudError:
    words = answer.model_reason or answer.body[:200].decode(errors="replace")
    cause = f"the model answered {answer.model_status or 'an error'}: {words}"
    kind = Transient if answer.model_status in (429, 502, 503, 504) else CloudError
    return kind(what, cause, "Read `amldeploy logs`", code="AML373", status=424, request_id=answer.request_id)


_ACCESS = "Assign a role that can score (AzureML Data Scientist on the endpoint) to this account, or check auth_mode"
_SERVICE = "Wait, and read `amldeploy logs`"
_REFUSALS = {
    401: ("AML378", "the endpoint does not accept the credential", _ACCESS),
    403: ("AML378", "the endpoint does not accept the credential", _ACCESS),
    404: ("AML379", "no deployment was reached", "Wait until the endpoint has the deployment"),
    408: ("AML380", "the model took longer than request_timeout_ms", "Raise request_settings.request_timeout_ms"),
    429: ("AML381", "too many requests at once", "Raise max_concurrent_requests_per_instance or instance_count"),
    500: ("AML374", "the service failed", _SERVICE),
    502: ("AML374", "the service failed", _SERVICE),
    503: ("AML374", "the service is not available", _SERVICE),
    504: ("AML374", "the service took too long", _SERVICE),
}
"""Status -> code, what it means, what to do."""
