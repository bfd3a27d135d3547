"""Azure's errors become ours: the class, the code, the words, the cure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud import azure_errors, error_translation
from deploy.errors import CloudError, NotAuthenticated, Transient, Unanswered

NOT_ENOUGH = (
    "Not enough quota available for Standard_F4s_v2 in SubscriptionId X. Current usage/limit: 0/6. Additional needed: 8"
    " Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
)


def simple(code: str, message: str) -> dict:
    """The form of the Resource Manager's gateway and of a failed operation."""
    return {"error": {"code": code, "message": message}}


def nested(code: str, message: str) -> dict:
    """The form of the machine learning service: the specific code is a detail."""
    details = [{"code": code, "message": message, "details": [], "additionalInfo": []}]
    return {"error": {"code": "UserError", "message": "The request is invalid.", "details": details}}


def embedded(field: str, message: str) -> dict:
    """The form of a refused deployment: JSON in the message of a detail."""
    told = json.dumps({"errors": {field: [message]}, "title": "One or more validation errors occurred.", "status": 400})
    details = [
        {"code": "InferencingClientCreateDeploymentFailed", "message": f"HttpRequest error, error detail: {told}"}
    ]
    return {"error": {"code": "BadRequest", "message": "The request is invalid.", "details": details}}


QUOTA = embedded("VmSize", NOT_ENOUGH)
FINAL, PASSES, NOBODY, SIGN_IN = CloudError, Transient, Unanswered, NotAuthenticated
HOME = "/subscriptions/00000000-0000-0000-0000-000000000001"
CLIENT = "The client '0a1b' with object id '0a1b'"
GUIDE = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-"
NO_PRINCIPAL = (
    "Principal 0a1b does not exist in the directory 2c3d. Check that you have the correct principal ID. If you are"
    " creating this principal and then immediately assigning a role, this error might be related to a replication"
    " delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User,"
    " or Group. See https://aka.ms/docs-principaltype"
)
NO_RIGHT = (
    f"{CLIENT} does not have authorization to perform action"
    f" 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write' over scope '{HOME}' or the scope is"
    " invalid. If access was recently granted, please refresh your credentials."
)
NO_LINKED_RIGHT = (
    f"{CLIENT} has permission to perform action 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write' on"
    f" scope '{HOME}'; however, it does not have permission to perform action(s)"
    " 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s)"
    f" '{HOME}/userAssignedIdentities/id' or the linked scope(s) are invalid."
)
THROTTLED = (
    "Number of 'write' requests for subscription '0' actor '0a1b' exceeded. Please try again after '17' seconds after"
    " additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information."
)
NO_CAPACITY = (
    "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. Read more about"
    " improving likelihood of allocation success at https://aka.ms/allocation-guidance"
)
NO_SKU = (
    "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions:"
    " Standard_NC24ads_A100_v4' is currently not available in location 'eastus'. Please try another size or deploy to a"
    " different location or different zone. See https://aka.ms/azureskunotavailable for details."
)
NO_WORKSPACE = (
    "The Resource 'Microsoft.MachineLearningServices/workspaces/x' under resource group 'rg' was not found."
    " For more details please go to https://aka.ms/ARMResourceNotFoundFix"
)
NAME_TAKEN = (
    "An endpoint with this name already exists. If you are trying to create a new endpoint, use a different name."
)
DATA_EXISTS = (
    "A data version with this name and version already exists. If you are trying to create a new data version, use a"
    " different name or version. If you are trying to update an existing data version, the existing asset's data uri"
    " cannot be changed. Only tags, description, and isArchived can be updated."
)
NO_CPU = (
    "Not enough subscription CPU quota. The amount of CPU quota requested is 32 and your maximum amount of quota is"
    f" [N/A]. {GUIDE}outofquota"
)
FORBIDDEN = 'Resource \'mip\' was disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"tags"}}]\'.'
UNREGISTERED = (
    "The subscription is not registered to use namespace 'Microsoft.MachineLearningServices'."
    " See https://aka.ms/rps-not-found for how to register subscriptions."
)
UPDATING = "Cannot create a deployment in endpoint mip because it is in Updating provisioning state"
OTHER_KIND = (
    "The PrincipalId '0a1b' has type 'ServicePrincipal' , which is different from specified PrinciaplType 'User'."
)
FIXED = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
FULL = "The role assignment limit for the subscription has been exceeded. No more role assignments can be created."
OUTRANKED = "Operation was canceled by another operation that has a higher priority"
UNLOCKED = "Operation was canceled due to a previous operation waiting for lock confirmation"
BUSY = "Operation on the endpoint cannot be performed: the operation is already in progress"
TABLE: list[tuple[int, dict[str, Any] | None, type, str]] = [
    (400, QUOTA, FINAL, "AML310"),
    (200, simple("OutOfQuota", NO_CPU), FINAL, "AML310"),
    (
        200,
        nested("OutOfQuota", f"Not enough cluster quota: the count of clusters is at its limit. {GUIDE}outofquota"),
        FINAL,
        "AML312",
    ),
    (200, nested("OutOfQuota", f"Container terminated due to insufficient disk. {GUIDE}outofquota"), FINAL, "AML313"),
    (200, simple("ResourceNotReady", "[Errno 28] No space left on device"), FINAL, "AML313"),
    (200, nested("OutOfQuota", f"Container terminated due to insufficient memory. {GUIDE}outofquota"), FINAL, "AML314"),
    (200, simple("ResourceNotReady", "Last state: Terminated, reason: OOMKilled, exit code 137"), FINAL, "AML314"),
    (200, simple("PodOutOfMemory", "Pods failed to run: out of memory"), FINAL, "AML314"),
    (
        200,
        simple("OutOfQuota", f"Role assignment quota of the subscription is used up. {GUIDE}outofquota"),
        FINAL,
        "AML321",
    ),
    (
        200,
        simple("OutOfQuota", f"The number of endpoints in the subscription is at its limit. {GUIDE}outofquota"),
        FINAL,
        "AML315",
    ),
    (200, simple("OutOfQuota", f"The specified region has no VM capacity. {GUIDE}outofquota"), PASSES, "AML316"),
    (
        200,
        simple("OutOfCapacity", "The specified Azure Machine Learning Compute could not be provisioned"),
        PASSES,
        "AML316",
    ),
    (409, simple("AllocationFailed", NO_CAPACITY), PASSES, "AML316"),
    (409, simple("SkuNotAvailable", NO_SKU), PASSES, "AML316"),
    (400, simple("UserErrorFromQuotaService", "Simultaneous count exceeded for subscription."), PASSES, "AML311"),
    (
        200,
        nested("UserError", "UserErrorFromQuotaService: Simultaneous count exceeded for subscription."),
        PASSES,
        "AML311",
    ),
    (400, simple("PrincipalNotFound", NO_PRINCIPAL), PASSES, "AML320"),
    (400, simple("UnmatchedPrincipalType", OTHER_KIND), FINAL, "AML327"),
    (400, simple("RoleAssignmentLimitExceeded", FULL), FINAL, "AML321"),
    (409, simple("RoleAssignmentUpdateNotPermitted", FIXED), FINAL, "AML322"),
    (403, simple("AuthorizationFailed", NO_RIGHT), FINAL, "AML323"),
    (403, simple("LinkedAuthorizationFailed", NO_LINKED_RIGHT), FINAL, "AML323"),
    (409, simple("Conflict", UPDATING), PASSES, "AML330"),
    (400, nested("UserError", UPDATING), PASSES, "AML330"),
    (409, nested("EndpointBusy", "Another operation is currently updating the endpoint mip"), PASSES, "AML330"),
    (400, nested("UserError", BUSY), PASSES, "AML330"),
    (200, simple("OperationCanceled", OUTRANKED), PASSES, "AML332"),
    (200, nested("OperationCanceled", UNLOCKED), PASSES, "AML332"),
    (400, simple("UserError", NAME_TAKEN), FINAL, "AML331"),
    (409, nested("EndpointAlreadyExists", "The endpoint name is already in use"), FINAL, "AML331"),
    (404, nested("InferencingClientCallFailed", "The requested resource was not found"), PASSES, "AML333"),
    (400, simple("UserError", "Asset paths cannot be updated."), FINAL, "AML334"),
    (
        409,
        simple("UserError", "Environment e with version 1 is already registered and cannot be changed."),
        FINAL,
        "AML334",
    ),
    (400, simple("UserError", DATA_EXISTS), FINAL, "AML334"),
    (
        200,
        simple("ResourceNotReady", f"User container has crashed or terminated. {GUIDE}resourcenotready"),
        FINAL,
        "AML340",
    ),
    (200, nested("ResourceNotReady", "Liveness probe failed: HTTP probe failed with statuscode: 502"), FINAL, "AML340"),
    (
        200,
        nested("BadRequest", 'Readiness probe failed: Get "http://10.0.0.4:5001/": context deadline exceeded'),
        FINAL,
        "AML340",
    ),
    (200, simple("UserScriptInitFailed", "Exception in init() of score.py"), FINAL, "AML340"),
    (200, simple("UserScriptImportError", "ModuleNotFoundError: No module named 'torch'"), FINAL, "AML340"),
    (200, simple("UserScriptFunctionNotFound", "score.py has no function run"), FINAL, "AML340"),
    (200, simple("DeploymentCrashLoopBackOff", "Back-off restarting failed container"), FINAL, "AML340"),
    (
        200,
        simple("KubernetesCrashLoopBackOff", "Back-off restarting failed container inference-server"),
        FINAL,
        "AML340",
    ),
    (
        200,
        simple(
            "ImageBuildFailure", "Image build failed: unauthorized: authentication required, ACR authorization failure"
        ),
        FINAL,
        "AML341",
    ),
    (200, simple("ImageBuildFailure", "Image build timed out after 3600 seconds"), FINAL, "AML341"),
    (
        200,
        simple(
            "SecretsInjectionError", "The secret reference ${{keyvault:https://kv.vault.azure.net/secrets/s}} failed"
        ),
        FINAL,
        "AML342",
    ),
    (
        200,
        simple("WorkspaceManagedNetworkNotReady", "The managed network of the workspace is not provisioned"),
        FINAL,
        "AML343",
    ),
    (
        200,
        simple("BadArgument", f"Startup task failed due to authorization error. {GUIDE}badargument"),
        FINAL,
        "AML344",
    ),
    (
        400,
        nested("BadArgument", "The identity lacks Storage Blob Data Reader on the workspace's storage account"),
        FINAL,
        "AML344",
    ),
    (200, nested("BadArgument", "The identity has no AcrPull on the container registry"), FINAL, "AML346"),
    (200, nested("ResourceNotFound", "Container registry hospital.azurecr.io: unauthorized"), FINAL, "AML346"),
    (200, nested("BadArgument", f"User container image could not be downloaded. {GUIDE}badargument"), FINAL, "AML347"),
    (200, simple("ImagePullFailed", "cannot pull image"), FINAL, "AML347"),
    (200, nested("BadArgument", "The image hospital.azurecr.io/mip:2 cannot be pulled"), FINAL, "AML347"),
    (200, simple("ImagePullLoopBackOff", 'Back-off pulling image "hospital.azurecr.io/mip:2"'), FINAL, "AML347"),
    (200, nested("BadArgument", "manifest for hospital.azurecr.io/mip:2 not found: manifest unknown"), FINAL, "AML347"),
    (200, nested("BadArgument", f"Unable to download user model. {GUIDE}badargument"), FINAL, "AML348"),
    (400, nested("BadArgument", "Invalid template function: 'resourceGroup' is not allowed here"), FINAL, "AML306"),
    (403, simple("RequestDisallowedByPolicy", FORBIDDEN), FINAL, "AML306"),
    (400, nested("BadArgument", "Subscription does not exist"), FINAL, "AML309"),
    (404, simple("SubscriptionNotFound", "The subscription '0' could not be found."), FINAL, "AML309"),
    (400, simple("InvalidDeploymentSpec", "The deployment spec is invalid"), FINAL, "AML309"),
    (400, nested("BadRequest", "MissingDriverProgram: Could not find driver program in the request."), FINAL, "AML357"),
    (400, simple("UserError", "The workspace is in legacy mode: v1_legacy_mode == true"), FINAL, "AML307"),
    (409, simple("MissingSubscriptionRegistration", UNREGISTERED), FINAL, "AML308"),
    (200, simple("PodUnschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."), FINAL, "AML317"),
    (200, simple("ACRTokenExchangeFailed", "ACR refresh token exchange failed"), PASSES, "AML355"),
    (200, simple("ACRSecretError", "The secret of the container registry is not there yet"), PASSES, "AML355"),
    (200, simple("GetAADTokenFailed", "Failed to get an AAD token: i/o timeout"), PASSES, "AML355"),
    (200, simple("InternalServerError", f"Internal error. {GUIDE}internalservererror"), PASSES, "AML350"),
    (500, simple("InternalServerError", f"Internal error. {GUIDE}internalservererror"), NOBODY, "AML350"),
    (429, simple("TooManyRequests", "The request is being throttled."), NOBODY, "AML352"),
    (429, simple("SubscriptionRequestsThrottled", THROTTLED), NOBODY, "AML352"),
    (408, None, NOBODY, "AML351"),
    (502, None, NOBODY, "AML351"),
    (503, None, NOBODY, "AML351"),
    (
        504,
        simple("GatewayTimeout", "The gateway did not receive a response within the specified time period."),
        NOBODY,
        "AML351",
    ),
    (404, simple("ResourceNotFound", NO_WORKSPACE), FINAL, "AML304"),
    (404, simple("NotFound", "The specified resource was not found."), FINAL, "AML304"),
    (404, nested("NoSuchEndpoint", "There is no endpoint with name: mip in mlw-imaging"), FINAL, "AML304"),
    (400, simple("Nonsense", "Words that nobody has said yet"), FINAL, "AML300"),
    (
        401,
        simple("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."),
        SIGN_IN,
        "AML901",
    ),
    (401, simple("InvalidAuthenticationToken", "The access token is invalid."), SIGN_IN, "AML901"),
]
"""Azure's published messages, otherwise the reason for the code in its documentation."""
NEAR: list[tuple[int, dict[str, Any] | None, type, str]] = [
    (
        200,
        simple("OutOfQuota", "You can delete unused deployments. Not enough quota available for Standard_DS3_v2"),
        FINAL,
        "AML310",
    ),
    (
        400,
        embedded("VmSize", "Not enough quota available for Standard_X in cluster eastus. Current usage/limit: 0/6."),
        FINAL,
        "AML310",
    ),
    (
        200,
        simple("OutOfQuota", "Not enough quota for the SKU in cluster eastus; the disk and the memory of others count"),
        FINAL,
        "AML310",
    ),
    (200, simple("OutOfQuota", "Not enough quota. Delete unused endpoints or deployments"), FINAL, "AML310"),
    (200, simple("OutOfQuota", "Kubernetes quota: not enough nodes"), FINAL, "AML310"),
    (200, simple("OutOfQuota", "The quota of clusters is used up"), FINAL, "AML312"),
    (200, simple("OutOfQuota", "There are too many online deployments"), FINAL, "AML315"),
    (
        200,
        simple("OutOfQuota", "Container could not be scheduled: container needs more resources than the SKU has"),
        FINAL,
        "AML317",
    ),
    (
        200,
        simple(
            "OutOfQuota", "Due to a lack of Azure Machine Learning capacity in the region, the cluster was not made"
        ),
        PASSES,
        "AML316",
    ),
    (200, simple("ResourceNotReady", "User container has crashed or terminated: OOMKilled"), FINAL, "AML314"),
    (200, simple("ImageBuildFailure", "no space left on device"), FINAL, "AML341"),
    (200, simple("ImageBuildFailure", "failed to authenticate with x.azurecr.io: unauthorized"), FINAL, "AML341"),
    (
        409,
        simple("Conflict", "Cannot create a deployment in endpoint x because it is in Creating provisioning state"),
        PASSES,
        "AML330",
    ),
    (
        400,
        simple("BadRequest", "Cannot update endpoint x because it is in Deleting provisioning state"),
        PASSES,
        "AML330",
    ),
    (400, simple("BadRequest", "Deployment x is in Scaling provisioning state"), PASSES, "AML330"),
    (400, simple("BadRequest", "Deployment x is in Failed provisioning state"), FINAL, "AML300"),
    (200, simple("OperationCancelled", "x"), PASSES, "AML332"),
    (400, simple("BadArgument", "Authorization error: the identity has no permission on the storage"), FINAL, "AML344"),
    (400, simple("BadArgument", "Access to the storage account was denied"), FINAL, "AML344"),
    (400, simple("BadArgument", "The storage account said: access denied"), FINAL, "AML344"),
    (
        400,
        simple("BadArgument", "Unable to download user model: the user model can't be found or accessed"),
        FINAL,
        "AML348",
    ),
    (400, simple("BadArgument", "The user model can't be found or accessed"), FINAL, "AML348"),
    (400, simple("BadArgument", "egress_public_network_access disabled is not supported for MLflow"), FINAL, "AML309"),
    (400, simple("BadArgument", "Container can't access invalid path /foo"), FINAL, "AML309"),
    (400, simple("BadArgument", "Resource requests greater than limits"), FINAL, "AML317"),
    (400, simple("BadArgument", "azureml-fe for kubernetes online endpoint isn't ready"), PASSES, "AML356"),
    (
        200,
        simple("ResourceNotReady", "failed to pull image x.azurecr.io/y: unauthorized: authentication required"),
        FINAL,
        "AML346",
    ),
    (200, simple("ResourceNotReady", "unauthorized: failed to pull image x.azurecr.io/y"), FINAL, "AML346"),
    (
        404,
        simple("ResourceNotFound", "Container registry authorization error: a private container registry"),
        FINAL,
        "AML346",
    ),
    (404, simple("ResourceNotFound", "A private or inaccessible container registry was supplied"), FINAL, "AML346"),
    (404, simple("ResourceNotFound", "The registry azureml has no such model"), FINAL, "AML304"),
    (200, simple("ResourceNotReady", "failed to pull image x.azurecr.io/y: manifest unknown"), FINAL, "AML347"),
    (200, simple("ResourceNotReady", "User container has crashed. Failed to load the model weights"), FINAL, "AML340"),
    (400, simple("BadRequest", "The key vault's network rules have bypass None"), FINAL, "AML349"),
    (400, simple("BadRequest", "The network rule bypass of the Key Vault is not AzureServices"), FINAL, "AML349"),
    (400, simple("BadRequest", "Bypass of traffic is not possible"), FINAL, "AML300"),
    (200, simple("TokenRefreshFailed", "x"), FINAL, "AML356"),
    (200, simple("ACRAuthenticationChallengeFailed", "x"), FINAL, "AML356"),
    (200, simple("KubernetesUnaccessible", "x"), FINAL, "AML356"),
    (200, simple("NamespaceNotFound", "x"), FINAL, "AML356"),
    (200, simple("ScoringFeUnhealthy", "x"), FINAL, "AML356"),
    (200, simple("InferencingClientCallFailed", "x"), FINAL, "AML356"),
    (200, simple("GetAADTokenFailed", "x"), PASSES, "AML355"),
    (200, simple("ACRSecretError", "x"), PASSES, "AML355"),
    (200, simple("EndpointNotFound", "x"), FINAL, "AML304"),
    (200, simple("ValidateScoringFailed", "x"), FINAL, "AML340"),
    (200, simple("DeploymentCrashLoopBackOff", "x"), FINAL, "AML340"),
    (200, simple("PodOutOfMemory", "x"), FINAL, "AML314"),
]
"""Texts that a more general row could match first, and codes without further text."""
ALL_STEP_TYPES = [*TABLE, *NEAR]
AFTER_ROLE = {"AML323", "AML342", "AML344", "AML346"}
HOW = {
    "AML311": (60, None, False),
    "AML316": (120, None, False),
    "AML320": (None, None, True),
    "AML330": (20, 4, False),
    "AML332": (60, 3, False),
    "AML333": (60, 3, False),
    "AML350": (None, 3, False),
    "AML355": (60, 3, False),
    "AML356": (60, 3, False),
}
"""Of what passes: seconds between tries at least, tries at most, and whether only the deadline ends the waiting."""


def how(ours: CloudError | NotAuthenticated) -> tuple[object, ...]:
    """All that decides what is done about an error."""
    passes = (ours.retry_after, ours.max_attempts, ours.until_deadline) if isinstance(ours, Transient) else None
    return type(ours), ours.code, ours.cure, passes, getattr(ours, "after_role", None)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    ALL_STEP_TYPES,
    ids=[f"{row[0]}-{row[3]}-{n}" for n, row in enumerate(ALL_STEP_TYPES)],
)
def test_each_text_has_its_class(status: int, body: object, kind: type, code: str) -> None:
    """Judged by every nested code and by the words, not by the status alone."""
    ours = error_translation.from_answer("create x", status, body, {})

    assert (ours.code, type(ours)) == (code, kind)
    if isinstance(ours, Transient):
        assert (ours.retry_after, ours.max_attempts, ours.until_deadline) == HOW[code]
    assert str(ours).startswith("cannot create x: ")
    assert ours.cure


@pytest.mark.parametrize(("status", "body", "code"), [(s, b, c) for s, b, k, c in ALL_STEP_TYPES if k is FINAL])
def test_only_permission_errors_depend_on_a_new_role(status: int, body: object, code: str) -> None:
    """Errors that a new role assignment can cause are marked; linked authorization errors are not."""
    ours = error_translation.from_answer("create x", status, body, {})
    assert isinstance(ours, CloudError)
    assert ours.after_role == (code in AFTER_ROLE and "LinkedAuthorizationFailed" not in ours.codes)


def test_each_row_matches_an_error() -> None:
    """No row of the table is without a text, and none is hidden by a wider one before it."""
    met = {id(azure_errors.find(_told(body))) for _, body, _, _ in ALL_STEP_TYPES if body}
    assert [row.seen.pattern for row in azure_errors.ERROR_RULES if id(row) not in met] == []


def _told(body: dict) -> str:
    codes, messages = error_translation._walk(body["error"])
    return " ".join((*codes, *messages))


def _in_json(field: str, message: str) -> str:
    return f"HttpRequest error, error detail: {json.dumps({'errors': {field: [message]}, 'status': 400})}"


def _detailed(code: str, error: dict) -> dict:
    return {"code": code, "message": "The request is invalid.", "details": [error], "additionalInfo": []}


@given(
    st.sampled_from(ALL_STEP_TYPES),
    st.lists(st.sampled_from(["BadRequest", "UserError", "ValidationError"]), max_size=4),
    st.booleans(),
)
def test_an_envelope_changes_nothing(row: tuple, outside: list[str], as_json: bool) -> None:
    """However deep a text is nested, and in JSON inside a message or not: the same class, waits and cure."""
    status, body, _, _ = row
    bare = error_translation.from_answer("create x", status, body, {})
    if body is None:
        return
    error = body["error"]
    if as_json and not error.get("details"):
        error = {**error, "message": _in_json("VmSize", error["message"])}
    for code in outside:
        error = _detailed(code, error)

    assert how(error_translation.from_answer("create x", status, {"error": error}, {})) == how(bare)


def test_the_table_is_of_texts() -> None:
    """At least 40 sentences that are each another, not codes alone."""
    texts = {words for _, body, _, _ in TABLE for words in _words(body)}
    assert len(texts) >= 40
    assert [text for text in texts if len(text.split()) < 3] == []


def _words(body: dict[str, Any] | None) -> list[str]:
    error = (body or {}).get("error") or {}
    inner = [detail["message"] for detail in error.get("details", ())]
    return inner or ([error["message"]] if error else [])


def test_missing_cloud_metadata_is_transient() -> None:
    """The SDK returns no reason, and the network is the most likely cause."""
    from azure.ai.ml.exceptions import MlException

    told = 'Unknown cloud environment supplied: "AmlEmulator".'
    ours = error_translation.translate(MlException(message=told, no_personal_data_message=told), "open azure-ai-ml")

    assert isinstance(ours, Transient)
    assert ours.code == "AML364"
    assert "network" in ours.cure
    assert "ARM_CLOUD_METADATA_URL" in ours.cure


def test_an_unreadable_response_is_no_response() -> None:
    """An answer of another form makes azure's own libraries stumble; where ours do, it is a bug and stays one."""
    from azure.mgmt.core.tools import parse_resource_id

    translated = error_translation.translated_errors("do it")
    with pytest.raises(Unanswered, match="cannot read the response") as theirs, translated:
        parse_resource_id(7)  # type: ignore[arg-type]
    assert (theirs.value.code, theirs.value.sent) == ("AML362", True)
    with pytest.raises(TypeError), error_translation.translated_errors("do it"):
        len(7)  # type: ignore[arg-type]


def test_embedded_json_is_unwrapped() -> None:
    """The quota failure hides its one useful sentence in JSON inside a message."""
    ours = error_translation.from_answer("create x", 400, QUOTA, {"x-ms-request-id": "42"})

    assert isinstance(ours, CloudError)
    assert "Additional needed: 8" in ours.cause
    assert '{"errors"' not in ours.cause
    assert ours.codes == ("BadRequest", "InferencingClientCreateDeploymentFailed")
    assert ours.request_id == "42"


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:30 GMT"}, 90.0),
        ({"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "9", "retry-after-ms": "100"}, 0.1),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After is read in each of its forms; any other value is ignored."""
    assert error_translation.retry_after_seconds(headers, NOW) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_header_is_accepted(text: str) -> None:
    """Any header value is a number of seconds or None."""
    wish = error_translation.retry_after_seconds({"Retry-After": text}, NOW)
    assert wish is None or wish >= 0


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 1),  # noqa: DTZ001 hypothesis wants it so
        timezones=st.just(UTC),
    )
)
def test_retry_after_can_be_a_date(moment: datetime) -> None:
    """A date is so many seconds from now, and none that has passed."""
    wish = error_translation.retry_after_seconds({"Retry-After": format_datetime(moment, usegmt=True)}, NOW)
    assert wish == max(0.0, (moment.replace(microsecond=0) - NOW).total_seconds())


def test_transient_errors_have_a_retry_after() -> None:
    """The longer of Retry-After and the documented wait."""
    canceled = simple("OperationCanceled", "x")
    short = error_translation.from_answer("x", 200, canceled, {"Retry-After": "5"})
    long = error_translation.from_answer("x", 200, canceled, {"Retry-After": "500"})
    assert isinstance(short, Transient)
    assert isinstance(long, Transient)
    assert (short.retry_after, long.retry_after) == (60, 500)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "message", "details", "error"]), inner)
    ),
    max_leaves=10,
)


@given(st.integers(400, 599), json_values)
def test_any_body_is_translated(status: int, body: object) -> None:
    """Any response becomes one of our errors."""
    assert str(error_translation.from_answer("x", status, body, {}))


def test_remote_text_is_neutral() -> None:
    """No control character, workflow command or secret of the far side survives in our words."""
    hostile = "\x1b[31mred\n::error::owned Bearer abcdefghijk"
    text = str(error_translation.from_answer("x", 400, simple("A", hostile), {}))

    assert "\x1b" not in text
    assert "\n::" not in text
    assert "abcdefghijk" not in text


def test_each_credential_that_was_tried_is_listed() -> None:
    """With its reason, from the message of azure-identity."""
    text = (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted credentials:\n"
        "\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Environment variables are not fully"
        " configured.\nVisit https://aka.ms/x to troubleshoot this issue.\n"
        "\tAzureCliCredential: Azure CLI not found on path\nTo mitigate this issue, please refer to https://aka.ms/y."
    )
    ours = error_translation.translate(ClientAuthenticationError(text), "list x")
    assert isinstance(ours, NotAuthenticated)
    assert ours.code == "AML900"
    assert "EnvironmentCredential (Environment variables are not fully configured)" in str(ours)
    assert "AzureCliCredential (Azure CLI not found on path)" in str(ours)
    assert "aka.ms" not in str(ours)
