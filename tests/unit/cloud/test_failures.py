"""Azure's errors become ours: the class, the code, the words, the cure."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud import failures
from deploy.errors import CloudError, NotAuthenticated, Transient

NOT_ENOUGH = (
    "Not enough quota available for Standard_F4s_v2 in SubscriptionId X. Current usage/limit: 0/6. Additional needed: 8"
    " Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
)
QUOTA = {
    "error": {
        "code": "BadRequest",
        "message": "The request is invalid.",
        "details": [
            {
                "code": "InferencingClientCreateDeploymentFailed",
                "message": "HttpRequest error, error detail: "
                + json.dumps(
                    {
                        "errors": {"VmSize": [NOT_ENOUGH]},
                        "title": "One or more validation errors occurred.",
                        "status": 400,
                    }
                ),
            }
        ],
    }
}


def simple(code: str, message: str) -> dict:
    return {"error": {"code": code, "message": message}}


TABLE = [
    (400, QUOTA, CloudError, "AML310"),
    (200, simple("OutOfQuota", "no cores"), CloudError, "AML310"),
    (400, simple("UserErrorFromQuotaService", "Simultaneous count exceeded for subscription."), Transient, "AML311"),
    (400, simple("PrincipalNotFound", "Principal x does not exist in the directory"), Transient, "AML320"),
    (400, simple("RoleAssignmentLimitExceeded", "4000"), CloudError, "AML321"),
    (403, simple("AuthorizationFailed", "The client does not have authorization"), CloudError, "AML323"),
    (
        409,
        simple("Conflict", "Cannot create a deployment in endpoint x because it is in Updating provisioning state"),
        Transient,
        "AML330",
    ),
    (200, simple("OperationCanceled", "higher priority operation"), Transient, "AML330"),
    (400, simple("UserError", "An endpoint with this name already exists in the region"), CloudError, "AML331"),
    (200, simple("ResourceNotReady", "User container has crashed"), CloudError, "AML340"),
    (200, simple("ImageBuildFailure", "x"), CloudError, "AML341"),
    (500, simple("InternalServerError", "x"), Transient, "AML350"),
    (429, simple("TooManyRequests", "slow down"), Transient, "AML300"),
    (503, None, Transient, "AML300"),
    (404, simple("NotFound", "gone"), CloudError, "AML300"),
    (400, simple("Nonsense", "whatever"), CloudError, "AML300"),
    (401, simple("InvalidAuthenticationToken", "expired"), NotAuthenticated, "AML901"),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"), TABLE, ids=[f"{row[0]}-{row[3]}-{n}" for n, row in enumerate(TABLE)]
)
def test_each_text_has_its_class(status: int, body: object, kind: type, code: str) -> None:
    """Judged by every nested code and by the words, not by the status alone."""
    ours = failures.from_answer("create x", status, body, {})

    assert type(ours) is kind
    assert ours.code == code
    assert str(ours).startswith("cannot create x: ")
    assert ours.cure


def test_embedded_words_come_out() -> None:
    """The quota failure hides its one useful sentence in JSON inside a message."""
    ours = failures.from_answer("create x", 400, QUOTA, {"x-ms-request-id": "42"})

    assert isinstance(ours, CloudError)
    assert "Additional needed: 8" in ours.cause
    assert '{"errors"' not in ours.cause
    assert ours.codes == ("BadRequest", "InferencingClientCreateDeploymentFailed")
    assert ours.request_id == "42"


@pytest.mark.parametrize(("wish", "seconds"), [("7", 7.0), ("0.5", 0.5), ("soon", None), ("", None)])
def test_retry_after(wish: str, seconds: float | None) -> None:
    """Azure's wish in seconds is kept; anything else is no wish."""
    ours = failures.from_answer("x", 429, simple("TooManyRequests", "x"), {"Retry-After": wish})

    assert isinstance(ours, Transient)
    assert ours.retry_after == seconds


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "message", "details", "error"]), inner)
    ),
    max_leaves=10,
)


@given(st.integers(400, 599), json_values)
def test_no_body_is_too_strange(status: int, body: object) -> None:
    """Whatever the far side says becomes one of our errors."""
    assert str(failures.from_answer("x", status, body, {}))


def test_remote_text_is_neutral() -> None:
    """No control character, workflow command or secret of the far side survives in our words."""
    hostile = "\x1b[31mred\n::error::owned Bearer abcdefghijk"
    text = str(failures.from_answer("x", 400, simple("A", hostile), {}))

    assert "\x1b" not in text
    assert "\n::" not in text
    assert "abcdefghijk" not in text
