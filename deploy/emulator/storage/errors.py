"""The errors of Azure Storage: status and message by code, as documented or seen in answers of Azure.

The Resource Manager's answer to a refused lease call is unknown; the emulator sends the same status, code and message
in the Resource Manager's form.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.emulator.wire.responses import Answer, Refusal, arm_error

_UNAUTHENTICATED = "Server failed to authenticate the request. "
_CHALLENGED = _UNAUTHENTICATED + "Please refer to the information in the www-authenticate header."
_BAD_SIGNATURE = "Make sure the value of Authorization header is formed correctly including the signature."
_FORBIDDEN = "This request is not authorized to perform this operation"
_OTHER_ID = "The lease ID specified did not match the lease ID for the {what}."
_NO_LEASE = "There is currently no lease on the {what}."
_MATCHED = "The lease ID matched, but the lease "
MESSAGES: dict[str, tuple[int, str]] = {
    "AuthenticationFailed": (403, _UNAUTHENTICATED + _BAD_SIGNATURE),
    "AuthorizationFailure": (403, _FORBIDDEN + "."),
    "AuthorizationPermissionMismatch": (403, _FORBIDDEN + " using this permission."),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "ContainerAlreadyExists": (409, "The specified container already exists."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "InvalidAuthenticationInfo": (401, _CHALLENGED),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidResourceName": (400, "The specified resource name contains invalid characters."),
    "KeyBasedAuthenticationNotPermitted": (403, "Key based authentication is not permitted on this storage account."),
    "LeaseAlreadyPresent": (409, "There is already a lease present."),
    "LeaseIdMismatchWithBlobOperation": (412, _OTHER_ID),
    "LeaseIdMismatchWithContainerOperation": (412, _OTHER_ID),
    "LeaseIdMismatchWithLeaseOperation": (409, _OTHER_ID),
    "LeaseIdMissing": (412, "There is currently a lease on the {what} and no lease ID was specified in the request."),
    "LeaseIsBreakingAndCannotBeAcquired": (
        409,
        _MATCHED + "is currently in breaking state and cannot be acquired until it is broken.",
    ),
    "LeaseIsBreakingAndCannotBeChanged": (409, _MATCHED + "is currently in breaking state and cannot be changed."),
    "LeaseIsBrokenAndCannotBeRenewed": (409, _MATCHED + "has been broken explicitly and cannot be renewed."),
    "LeaseLost": (412, "A lease ID was specified, but the lease for the {what} has expired."),
    "LeaseNotPresentWithBlobOperation": (412, _NO_LEASE),
    "LeaseNotPresentWithContainerOperation": (412, _NO_LEASE),
    "LeaseNotPresentWithLeaseOperation": (409, _NO_LEASE),
    "MissingRequiredHeader": (400, "An HTTP header that's mandatory for this request is not specified."),
    "MissingRequiredQueryParameter": (400, "A query parameter that's mandatory for this request is not specified."),
    "NoAuthenticationInformation": (401, _CHALLENGED),
    "RequestBodyTooLarge": (413, "The request body is too large and exceeds the maximum permissible limit."),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "UnsupportedQueryParameter": (400, "One of the query parameters specified in the request URI is not supported."),
}


def refusal(code: str, what: str = "blob", headers: Mapping[str, str] | None = None, note: str = "") -> Refusal:
    """The answer of the data plane, in XML; `what` is the thing with the lease, `blob` or `container`."""
    status, message = MESSAGES[code]
    text = message.format(what=what)
    body = f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
    shown = {"x-ms-error-code": code, "Content-Type": "application/xml", **(headers or {})}
    return Refusal(Answer(status, body.encode(), shown), note)


def arm_refusal(code: str) -> Refusal:
    """The answer of the Resource Manager to a call on a container."""
    status, message = MESSAGES[code]
    return arm_error(status, code, message.format(what="container"))


def for_container(code: str) -> str:
    """The code of a refused read or write of a container, in place of that of a blob."""
    return code.replace("WithBlobOperation", "WithContainerOperation")
