"""The documented outcome of each lease call and write in each state of a lease, as data.

A is the id of the lease, B another one. An outcome is a status and the state after the call, or a status and an error
code; a refused call leaves the state as it was.
"""

from __future__ import annotations

A, B = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
STATES = ("available", "leased", "breaking", "broken", "expired")
_MISMATCH, _PRESENT = "409 LeaseIdMismatchWithLeaseOperation", "409 LeaseAlreadyPresent"
_NONE, _BROKEN = "409 LeaseNotPresentWithLeaseOperation", "409 LeaseIsBrokenAndCannotBeRenewed"
_OTHER, _LOST, _MISSING = "412 LeaseIdMismatchWithBlobOperation", "412 LeaseLost", "412 LeaseIdMissing"
_ABSENT = "412 LeaseNotPresentWithBlobOperation"
ROWS: dict[str, tuple[str, str, str, str, str]] = {
    "acquire A": ("201 leased", "201 leased", "409 LeaseIsBreakingAndCannotBeAcquired", "201 leased", "201 leased"),
    "acquire B": ("201 leased", _PRESENT, _PRESENT, "201 leased", "201 leased"),
    "renew A": (_MISMATCH, "200 leased", _BROKEN, _BROKEN, "200 leased"),
    "renew B": (_MISMATCH, _MISMATCH, _MISMATCH, _MISMATCH, _MISMATCH),
    "release A": (_MISMATCH, "200 available", "200 available", "200 available", "200 available"),
    "release B": (_MISMATCH, _MISMATCH, _MISMATCH, _MISMATCH, _MISMATCH),
    "change A to B": (_NONE, "200 leased", "409 LeaseIsBreakingAndCannotBeChanged", _NONE, _NONE),
    "break": (_NONE, "202 breaking", "202 breaking", "202 broken", "202 broken"),
    "write with A": (_ABSENT, "ok leased", "ok breaking", _LOST, _LOST),
    "write with B": (_ABSENT, _OTHER, _OTHER, _OTHER, _OTHER),
    "write": ("ok available", _MISSING, _MISSING, "ok available", "ok available"),
}  # fmt: skip
CELLS = [(call, state, row[at]) for call, row in ROWS.items() for at, state in enumerate(STATES)]


def headers(call: str) -> dict[str, str]:
    """The lease headers of a call of the table; a lease lasts 60 seconds."""
    word, *ids = call.replace(" with", "").replace(" to", "").split()
    named = [{"A": A, "B": B}[name] for name in ids]
    match word:
        case "acquire":
            shown = {"x-ms-lease-duration": "60", "x-ms-proposed-lease-id": named[0]}
        case "change":
            shown = {"x-ms-lease-id": named[0], "x-ms-proposed-lease-id": named[1]}
        case _:
            shown = {"x-ms-lease-id": named[0]} if named else {}
    return shown if word == "write" else {"x-ms-lease-action": word, **shown}
