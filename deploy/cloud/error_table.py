"""The table of Azure's troubles: which text means which trouble, what kind it is, what to do. Nothing is done here.

The first row whose pattern is found in the codes and words of an answer wins, so the narrow rows stand before the wide
ones. The codes and causes are those of Azure's page on troubleshooting online endpoints, of its page on role
assignments, and of answers that people have published; which of them pass is read from the same pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from deploy.errors import POOL_FULL


class Kind(StrEnum):
    """Whether asking again can help."""

    FINAL = "final"
    """Never: somebody must change something."""
    PASSING = "passing"
    """In a moment, and only so often."""
    PATIENT = "patient"
    """It ends by itself, in its own time: only the step's deadline ends the waiting."""
    LATER = "later"
    """When others have let go of what we need: a long wait between tries."""
    AFTER_ROLE = "after_role"
    """Only if a role or an identity is so new that it is not in effect everywhere; otherwise final."""


@dataclass(frozen=True)
class ErrorRule:
    """One row. `wait`: seconds between tries at least. `tries`: so many in all at most, whatever the step allows."""

    seen: re.Pattern[str]
    code: str
    kind: Kind
    cure: str
    wait: float | None = None
    tries: int | None = None


def _row(
    seen: str, code: str, kind: Kind, cure: str, *, wait: float | None = None, tries: int | None = None
) -> ErrorRule:
    return ErrorRule(re.compile(seen, re.IGNORECASE | re.DOTALL), code, kind, cure, wait, tries)


_SHORT = r"(?:not enough|insufficient|out of|exceeds?|exceeded|more)"
_DENIED = r"(?:unauthori[sz]ed|denied|forbidden|authentication required)"
_CLUSTER = {
    "TokenRefreshFailed": "The cluster's extension has lost its identity: install the machine learning extension anew",
    "ACRAuthenticationChallengeFailed": "The cluster cannot reach the container registry: check the network of both",
    "KubernetesUnaccessible": "The cluster cannot be reached: apply again after 5 hours, or attach the compute anew",
    "NamespaceNotFound": "The compute's namespace is gone from the cluster: create it, or attach it with another",
    "ScoringFeUnhealthy": "The cluster's azureml-fe is not healthy: check its pods and the extension's installation",
    "InferencingClientCallFailed": "The service cannot work with the cluster: detach the compute and attach it anew",
}
"""Troubles of a Kubernetes cluster, by code, and what to do about each."""
ERROR_RULES = (
    _row(
        r"Simultaneous count exceeded|\bUserErrorFromQuotaService\b", POOL_FULL, Kind.LATER,
        "The shared quota pool is in full use: try again later, or set quota.capacity to dedicated", wait=60,
    ),
    _row(
        r"\bOutOfCapacity\b|\bAllocationFailed\b|\bSkuNotAvailable\b.*capacity|unable to provision\b.*capacity"
        r"|(?:not enough|insufficient|lack of|no) (?:[\w-]+ ){0,3}capacity"
        r"|capacity (?:[\w-]+ ){0,4}(?:not available|unavailable|exhausted)",
        "AML316", Kind.LATER,
        "The region has no such machine free now: try again later, or choose another size or region", wait=120,
    ),
    _row(
        r"\bImageBuildFailure\b", "AML341", Kind.FINAL,
        "Read the image build log in the workspace's storage account; pin the packages, or build the image beforehand",
    ),
    _row(
        r"Not enough quota available for|Current usage/limit: \d", "AML310", Kind.FINAL,
        "Free cores, choose a smaller or fewer instances, or ask for more quota of this VM family in this region",
    ),
    _row(
        r"\bclusters? (?:count )?quota\b|quota (?:of|for) (?:the )?(?:number of )?clusters?\b", "AML312", Kind.FINAL,
        "Ask for a higher quota of clusters in this region, or delete deployments that nobody needs",
    ),
    _row(
        rf"\bOutOfQuota\b.*\b{_SHORT} (?:\w+ ){{0,2}}disk\b|no space left on device", "AML313", Kind.FINAL,
        "Choose an instance_type with a bigger disk, or make image and model smaller",
    ),
    _row(
        rf"\bOutOfQuota\b.*\b{_SHORT} (?:\w+ ){{0,2}}memory\b|\bOOMKilled\b|\bPodOutOfMemory\b|\bout of memory\b",
        "AML314", Kind.FINAL,
        "Choose an instance_type with more memory, or load less",
    ),
    _row(
        r"\bRoleAssignmentLimitExceeded\b|\bNo more role assignments can be created"
        r"|\brole assignments? (?:quota|limit)\b|\bquota (?:of|for) (?:\w+ ){0,2}role assignments?\b",
        "AML321", Kind.FINAL,
        "Delete role assignments that nobody needs (4000 in a subscription is the limit)",
    ),
    _row(
        r"\b(?:number of|too many) (?:\w+ ){0,2}(?:endpoints|deployments)\b"
        r"|\b(?:endpoint|deployment)s? (?:count )?(?:quota|limit)\b"
        r"|\bquota (?:of|for) (?:\w+ ){0,2}(?:endpoints|deployments)\b",
        "AML315", Kind.FINAL,
        "Delete endpoints or deployments that nobody needs, or ask for a higher limit",
    ),
    _row(
        r"\bPodUnschedulable\b|requests? (?:more|greater) than (?:the )?(?:limits?|instance)"
        r"|needs more resources than|could not be scheduled", "AML317", Kind.FINAL,
        "Choose a bigger instance_type, or ask for less",
    ),
    _row(
        r"oe-tsg#error-outofquota|Not enough quota|\bOutOfQuota\b|\bQuotaExceeded\b", "AML310", Kind.FINAL,
        "Free cores, choose a smaller or fewer instances, or ask for more quota of this VM family in this region",
    ),
    _row(
        r"\bPrincipalNotFound\b", "AML320", Kind.PATIENT,
        "A new identity is not yet known everywhere: wait",
    ),
    _row(
        r"\bUnmatchedPrincipalType\b", "AML327", Kind.FINAL,
        "Say what the principal is: principal.type is User, Group or ServicePrincipal",
    ),
    _row(
        r"\bRoleAssignmentUpdateNotPermitted\b", "AML322", Kind.FINAL,
        "An assignment of this name belongs to an identity that is gone: delete it, then apply again",
    ),
    _row(
        r"\bSecretsInjectionError\b", "AML342", Kind.AFTER_ROLE,
        "Check the secret reference, and that the endpoint's identity has a role that reads it",
    ),
    _row(
        r"\bACRTokenExchangeFailed\b|\bACRSecretError\b|\bGetAADTokenFailed\b", "AML355", Kind.PASSING,
        "The cluster could not sign in to the registry or to Entra: try again in a minute", wait=60, tries=3,
    ),
    _row(
        r"\bAcrPull\b|\bcontainer registry authorization error\b|\binaccessible container registry\b"
        rf"|(?:\.azurecr\.\w+|\b(?:container|docker) registry)\b.{{0,200}}\b{_DENIED}"
        rf"|\b{_DENIED}\b.{{0,200}}\.azurecr\.\w",
        "AML346", Kind.AFTER_ROLE,
        "The endpoint's identity may not pull the image: give it AcrPull on the registry",
    ),
    _row(
        r"\bBadArgument\b.*\b(?:authorization (?:error|fail\w*)|not (?:be )?authori[sz]ed"
        r"|(?:lacks?|(?:has|have) no|do(?:es)?(?: not|n't) have) (?:\w+ ){0,2}(?:authorization|permissions?|access)"
        r"|(?:access|permissions?) (?:\w+ ){0,6}(?:missing|denied)|Storage Blob Data \w+)",
        "AML344", Kind.AFTER_ROLE,
        "Give the endpoint's identity Storage Blob Data Reader on the workspace's storage and AcrPull on its registry",
    ),
    _row(
        r"\b(?:Err)?ImagePull(?:LoopBackOff|BackOff|Fail\w*)?\b|manifest (?:\S+ ){0,6}(?:unknown|not found)"
        r"|(?:image|container) (?:\S+ ){0,4}(?:could not|cannot|can't|unable to) be (?:accessed|downloaded|pulled)"
        r"|\b(?:unable to|failed to|could not|cannot|can't) (?:download|pull) (?:\w+ ){0,2}(?:container )?image\b",
        "AML347", Kind.FINAL,
        "Check the image's name and tag, and that the registry can be reached from the deployment",
    ),
    _row(
        r"\b(?:unable to|failed to|could not|cannot|can't) download (?:\S+ ){0,3}model\b"
        r"|\bmodel(?:'s)? (?:\S+ ){0,4}(?:could not|cannot|can't) be (?:accessed|downloaded|found)",
        "AML348", Kind.FINAL,
        "Check that the model is registered and its files are there; see the StorageInitializer's log",
    ),
    _row(
        r"invalid template function|\bRequestDisallowedByPolicy\b|\bPolicyViolation\b|Azure Policy",
        "AML306", Kind.FINAL,
        "A policy of the subscription forbids it: change what it names, or have the policy's assignment mended",
    ),
    _row(
        r"\bLinkedAuthorizationFailed\b", "AML323", Kind.FINAL,
        "Give the signed-in principal a role that allows this action at this scope, or sign in as another",
    ),
    _row(
        r"\bAuthorizationFailed\b", "AML323", Kind.AFTER_ROLE,
        "Give the signed-in principal a role that allows this action at this scope, or sign in as another",
    ),
    _row(
        r"\bOperationCancell?ed\b", "AML332", Kind.PASSING,
        "Another operation came first: try again after a minute", wait=60, tries=3,
    ),
    _row(
        r"in (?:Updating|Creating|Deleting|Scaling) provisioning state|EndpointBusy"
        r"|\bis (?:being|currently) (?:updat|creat|delet|scal)"
        r"|operation is already in progress|\bConflict\w*\b.*(?:Updating|Creating|Deleting|Scaling)",
        "AML330", Kind.PASSING,
        "Another operation holds the endpoint: wait for it to end", wait=20, tries=4,
    ),
    _row(
        r"name already exists|\bNameUnavailable\b|\bEndpointAlreadyExists\b|already (?:in use|taken)",
        "AML331", Kind.FINAL,
        "Choose another endpoint name: names are unique in a region",
    ),
    _row(
        r"\bInferencingClientCallFailed\b.*not ?found|not ?found.*\bInferencingClientCallFailed\b",
        "AML333", Kind.PASSING,
        "An endpoint of this name was deleted a moment ago: wait, then apply again", wait=60, tries=3,
    ),
    _row(
        r"\bWorkspaceManagedNetworkNotReady\b", "AML343", Kind.FINAL,
        "Provision the workspace's managed network first",
    ),
    _row(
        r"\bkey ?vault\b.{0,200}\bbypass\b|\bbypass\b.{0,200}\bkey ?vault\b", "AML349", Kind.FINAL,
        "Set bypass to AzureServices in the network rules of the workspace's key vault, or auth_mode to aad_token",
    ),
    _row(
        r"v1_legacy_mode", "AML307", Kind.FINAL,
        "Set v1_legacy_mode of the workspace to false",
    ),
    _row(
        r"\bMissingSubscriptionRegistration\b|not registered to use namespace", "AML308", Kind.FINAL,
        "Register the resource provider that it names in this subscription",
    ),
    _row(
        r"\bResourceNotReady\b|\b(?:liveness|readiness) probe|\b(?:Deployment|Kubernetes)CrashLoopBackOff\b"
        r"|\bUserScript\w+\b|\bValidateScoringFailed\b",
        "AML340", Kind.FINAL,
        "Read `amldeploy logs`; give the container more time (liveness_probe.initial_delay) or mend the scoring script",
    ),
    _row(
        r"azureml-fe\b.{0,80}\b(?:isn't|is not|not) ready", "AML356", Kind.PASSING,
        "The cluster's azureml-fe is not ready yet: check its pods, then try again", wait=60, tries=3,
    ),
    *(_row(rf"\b{code}\b", "AML356", Kind.FINAL, cure) for code, cure in _CLUSTER.items()),
    _row(
        r"\bBadArgument\b|\bInvalidDeploymentSpec\b|\bMissingDriverProgram\b|\bInvalidParameter\w*\b"
        r"|\bSubscriptionNotFound\b",
        "AML309", Kind.FINAL,
        "Mend the field that Azure names",
    ),
    _row(
        r"\bResourceNotFound\b|\bEndpointNotFound\b|oe-tsg#error-resourcenotfound", "AML304", Kind.FINAL,
        "Check the names that Azure names, and that what they stand for still exists",
    ),
    _row(
        r"\bInternalServerError\b", "AML350", Kind.PASSING,
        "Azure failed: try again, then open a ticket with the request id", tries=3,
    ),
)  # fmt: skip


def find(words: str) -> ErrorRule | None:
    """The row for the codes and words of an answer."""
    return next((row for row in ERROR_RULES if row.seen.search(words)), None)
