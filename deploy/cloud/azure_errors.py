"""The table of Azure's errors: pattern, error code, whether a retry can help, and how to fix it.

The first row with a pattern that matches the codes and the message of a response wins, so specific rows are before
general ones. Sources: Azure's page on troubleshooting online endpoints, its page on role assignments, and published
error messages; also for whether a retry can help.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from deploy.errors import POOL_FULL


class RetryKind(StrEnum):
    """Whether a retry can help."""

    FINAL = "final"
    """Never: the user must change something."""
    RETRY_FEW = "retry_few"
    """Soon, with a limited number of attempts."""
    RETRY_UNTIL_DEADLINE = "retry_until_deadline"
    """The obstacle ends by itself: retry until the step's deadline."""
    RETRY_SLOWLY = "retry_slowly"
    """When other users release capacity: a long wait between attempts."""
    AFTER_ROLE = "after_role"
    """Only if a role assignment or an identity is new and not yet effective everywhere; otherwise final."""


@dataclass(frozen=True)
class ErrorRule:
    """One row. `wait`: minimum seconds between attempts. `max_attempts`: the limit, even if the step allows more."""

    pattern: re.Pattern[str]
    code: str
    kind: RetryKind
    cure: str
    wait: float | None = None
    max_attempts: int | None = None


def _row(
    pattern: str, code: str, kind: RetryKind, cure: str, *, wait: float | None = None, max_attempts: int | None = None
) -> ErrorRule:
    return ErrorRule(re.compile(pattern, re.IGNORECASE | re.DOTALL), code, kind, cure, wait, max_attempts)


_SHORT = r"(?:not enough|insufficient|out of|exceeds?|exceeded|more)"
_DENIED = r"(?:unauthori[sz]ed|denied|forbidden|authentication required)"
_CLUSTER = {
    "TokenRefreshFailed": "The cluster's extension has lost its identity: reinstall the machine learning extension",
    "ACRAuthenticationChallengeFailed": "The cluster cannot reach the container registry: check the network of both",
    "KubernetesUnaccessible": "The cluster cannot be reached: apply again after 5 hours, or attach the compute again",
    "NamespaceNotFound": "The compute's namespace no longer exists in the cluster: create it, or use another one",
    "ScoringFeUnhealthy": "The cluster's azureml-fe is not healthy: check its pods and the extension's installation",
    "InferencingClientCallFailed": "The service cannot work with the cluster: detach the compute and attach it again",
}
"""Errors of a Kubernetes cluster: Azure's code -> how to fix it."""
ERROR_RULES = (
    _row(
        r"Simultaneous count exceeded|\bUserErrorFromQuotaService\b", POOL_FULL, RetryKind.RETRY_SLOWLY,
        "The shared quota pool is full: try again later, or set quota.capacity to dedicated", wait=60,
    ),
    _row(
        r"\bOutOfCapacity\b|\bAllocationFailed\b|\bSkuNotAvailable\b.*capacity|unable to provision\b.*capacity"
        r"|(?:not enough|insufficient|lack of|no) (?:[\w-]+ ){0,3}capacity"
        r"|capacity (?:[\w-]+ ){0,4}(?:not available|unavailable|exhausted)",
        "AML316", RetryKind.RETRY_SLOWLY,
        "The region has no free machine of this size now: try again later, or use another size or region", wait=120,
    ),
    _row(
        r"\bImageBuildFailure\b", "AML341", RetryKind.FINAL,
        "Read the image build log in the workspace's storage account. Pin the packages, or build the image beforehand",
    ),
    _row(
        r"Not enough quota available for|Current usage/limit: \d", "AML310", RetryKind.FINAL,
        "Free cores, use smaller or fewer instances, or request more quota for this VM family in this region",
    ),
    _row(
        r"\bclusters? (?:count )?quota\b|quota (?:of|for) (?:the )?(?:number of )?clusters?\b", "AML312",
        RetryKind.FINAL,
        "Request more cluster quota in this region, or delete unused deployments",
    ),
    _row(
        rf"\bOutOfQuota\b.*\b{_SHORT} (?:\w+ ){{0,2}}disk\b|no space left on device", "AML313", RetryKind.FINAL,
        "Use an instance_type with a larger disk, or make the image and the model smaller",
    ),
    _row(
        rf"\bOutOfQuota\b.*\b{_SHORT} (?:\w+ ){{0,2}}memory\b|\bOOMKilled\b|\bPodOutOfMemory\b|\bout of memory\b",
        "AML314", RetryKind.FINAL,
        "Use an instance_type with more memory, or load less",
    ),
    _row(
        r"\bRoleAssignmentLimitExceeded\b|\bNo more role assignments can be created"
        r"|\brole assignments? (?:quota|limit)\b|\bquota (?:of|for) (?:\w+ ){0,2}role assignments?\b",
        "AML321", RetryKind.FINAL,
        "Delete unused role assignments (a subscription can have 4000)",
    ),
    _row(
        r"\b(?:number of|too many) (?:\w+ ){0,2}(?:endpoints|deployments)\b"
        r"|\b(?:endpoint|deployment)s? (?:count )?(?:quota|limit)\b"
        r"|\bquota (?:of|for) (?:\w+ ){0,2}(?:endpoints|deployments)\b",
        "AML315", RetryKind.FINAL,
        "Delete unused endpoints or deployments, or request a higher limit",
    ),
    _row(
        r"\bPodUnschedulable\b|requests? (?:more|greater) than (?:the )?(?:limits?|instance)"
        r"|needs more resources than|could not be scheduled", "AML317", RetryKind.FINAL,
        "Use a larger instance_type, or request less",
    ),
    _row(
        r"oe-tsg#error-outofquota|Not enough quota|\bOutOfQuota\b|\bQuotaExceeded\b", "AML310", RetryKind.FINAL,
        "Free cores, use smaller or fewer instances, or request more quota for this VM family in this region",
    ),
    _row(
        r"\bPrincipalNotFound\b", "AML320", RetryKind.RETRY_UNTIL_DEADLINE,
        "Wait: the new identity is not yet known everywhere",
    ),
    _row(
        r"\bUnmatchedPrincipalType\b", "AML327", RetryKind.FINAL,
        "Set principal.type to User, Group or ServicePrincipal",
    ),
    _row(
        r"\bRoleAssignmentUpdateNotPermitted\b", "AML322", RetryKind.FINAL,
        "Delete the role assignment with this name, which belongs to a deleted identity, then apply again",
    ),
    _row(
        r"\bSecretsInjectionError\b", "AML342", RetryKind.AFTER_ROLE,
        "Check the secret reference, and that the endpoint's identity has a role that can read it",
    ),
    _row(
        r"\bACRTokenExchangeFailed\b|\bACRSecretError\b|\bGetAADTokenFailed\b", "AML355", RetryKind.RETRY_FEW,
        "Try again in a minute: the cluster could not sign in to the registry or to Entra", wait=60, max_attempts=3,
    ),
    _row(
        r"\bAcrPull\b|\bcontainer registry authorization error\b|\binaccessible container registry\b"
        rf"|(?:\.azurecr\.\w+|\b(?:container|docker) registry)\b.{{0,200}}\b{_DENIED}"
        rf"|\b{_DENIED}\b.{{0,200}}\.azurecr\.\w",
        "AML346", RetryKind.AFTER_ROLE,
        "Assign AcrPull on the registry to the endpoint's identity, which is not allowed to pull the image",
    ),
    _row(
        r"\bBadArgument\b.*\b(?:authorization (?:error|fail\w*)|not (?:be )?authori[sz]ed"
        r"|(?:lacks?|(?:has|have) no|do(?:es)?(?: not|n't) have) (?:\w+ ){0,2}(?:authorization|permissions?|access)"
        r"|(?:access|permissions?) (?:\w+ ){0,6}(?:missing|denied)|Storage Blob Data \w+)",
        "AML344", RetryKind.AFTER_ROLE,
        "Assign Storage Blob Data Reader on the storage and AcrPull on the registry to the endpoint's identity",
    ),
    _row(
        r"\b(?:Err)?ImagePull(?:LoopBackOff|BackOff|Fail\w*)?\b|manifest (?:\S+ ){0,6}(?:unknown|not found)"
        r"|(?:image|container) (?:\S+ ){0,4}(?:could not|cannot|can't|unable to) be (?:accessed|downloaded|pulled)"
        r"|\b(?:unable to|failed to|could not|cannot|can't) (?:download|pull) (?:\w+ ){0,2}(?:container )?image\b",
        "AML347", RetryKind.FINAL,
        "Check the image's name and tag, and that the registry can be reached from the deployment",
    ),
    _row(
        r"\b(?:unable to|failed to|could not|cannot|can't) download (?:\S+ ){0,3}model\b"
        r"|\bmodel(?:'s)? (?:\S+ ){0,4}(?:could not|cannot|can't) be (?:accessed|downloaded|found)",
        "AML348", RetryKind.FINAL,
        "Check that the model is registered and that its files exist. See the log of StorageInitializer",
    ),
    _row(
        r"invalid template function|\bRequestDisallowedByPolicy\b|\bPolicyViolation\b|Azure Policy",
        "AML306", RetryKind.FINAL,
        "Change the setting that the policy names, or ask for a change of the policy assignment",
    ),
    _row(
        r"\bLinkedAuthorizationFailed\b", "AML323", RetryKind.FINAL,
        "Assign a role that allows this action at this scope to the signed-in principal, or use another account",
    ),
    _row(
        r"\bAuthorizationFailed\b", "AML323", RetryKind.AFTER_ROLE,
        "Assign a role that allows this action at this scope to the signed-in principal, or use another account",
    ),
    _row(
        r"\bOperationCancell?ed\b", "AML332", RetryKind.RETRY_FEW,
        "Try again after a minute: another operation replaced this one", wait=60, max_attempts=3,
    ),
    _row(
        r"in (?:Updating|Creating|Deleting|Scaling) provisioning state|EndpointBusy"
        r"|\bis (?:being|currently) (?:updat|creat|delet|scal)"
        r"|operation is already in progress|\bConflict\w*\b.*(?:Updating|Creating|Deleting|Scaling)",
        "AML330", RetryKind.RETRY_FEW,
        "Wait until the other operation on the endpoint has ended", wait=20, max_attempts=4,
    ),
    _row(
        r"name already exists|\bNameUnavailable\b|\bEndpointAlreadyExists\b|already (?:in use|taken)",
        "AML331", RetryKind.FINAL,
        "Choose another endpoint name, since names are unique in a region",
    ),
    _row(
        r"\bInferencingClientCallFailed\b.*not ?found|not ?found.*\bInferencingClientCallFailed\b",
        "AML333", RetryKind.RETRY_FEW,
        "Wait, then apply again: an endpoint with this name is still being deleted", wait=60, max_attempts=3,
    ),
    _row(
        r"Asset paths cannot be updated|is already registered and cannot be changed"
        r"|existing asset's data uri cannot be changed",
        "AML334", RetryKind.FINAL,
        "Set another version of this model, environment or code in the deployment file, or leave the version out",
    ),
    _row(
        r"\bWorkspaceManagedNetworkNotReady\b", "AML343", RetryKind.FINAL,
        "Provision the workspace's managed network first",
    ),
    _row(
        r"\bkey ?vault\b.{0,200}\bbypass\b|\bbypass\b.{0,200}\bkey ?vault\b", "AML349", RetryKind.FINAL,
        "Set bypass to AzureServices in the network rules of the workspace's key vault, or auth_mode to aad_token",
    ),
    _row(
        r"v1_legacy_mode", "AML307", RetryKind.FINAL,
        "Set v1_legacy_mode of the workspace to false",
    ),
    _row(
        r"\bMissingSubscriptionRegistration\b|not registered to use namespace", "AML308", RetryKind.FINAL,
        "Register the resource provider in Azure's message in this subscription",
    ),
    _row(
        r"\bResourceNotReady\b|\b(?:liveness|readiness) probe|\b(?:Deployment|Kubernetes)CrashLoopBackOff\b"
        r"|\bUserScript\w+\b|\bValidateScoringFailed\b",
        "AML340", RetryKind.FINAL,
        "Read `amldeploy logs`. Raise liveness_probe.initial_delay, or fix the scoring script",
    ),
    _row(
        r"azureml-fe\b.{0,80}\b(?:isn't|is not|not) ready", "AML356", RetryKind.RETRY_FEW,
        "Check the pods of azureml-fe in the cluster, which are not ready yet, then try again", wait=60, max_attempts=3,
    ),
    *(_row(rf"\b{code}\b", "AML356", RetryKind.FINAL, cure) for code, cure in _CLUSTER.items()),
    _row(
        r"\bMissingDriverProgram\b", "AML357", RetryKind.FINAL,
        "Add code_configuration and environment, or an environment with inference_config, or use an MLflow model",
    ),
    _row(
        r"\bBadArgument\b|\bInvalidDeploymentSpec\b|\bInvalidParameter\w*\b"
        r"|\bSubscriptionNotFound\b",
        "AML309", RetryKind.FINAL,
        "Fix the field in Azure's message",
    ),
    _row(
        r"\bResourceNotFound\b|\bEndpointNotFound\b|oe-tsg#error-resourcenotfound", "AML304", RetryKind.FINAL,
        "Check the names in Azure's message, and that the resources still exist",
    ),
    _row(
        r"\bInternalServerError\b", "AML350", RetryKind.RETRY_FEW,
        "Try again. If the problem persists, open a support ticket with the request id", max_attempts=3,
    ),
)  # fmt: skip


def find(text: str) -> ErrorRule | None:
    """The row for the codes and the message of a response."""
    return next((row for row in ERROR_RULES if row.pattern.search(text)), None)
