"""References: what is found in the documents, and which roles are enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.preflight.references import check, of_documents

NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=12)
PARTS = ("subscriptions", "S", "resourceGroups", "g", "providers", "Microsoft.Storage", "storageAccounts", "st")
TARGET = "/" + "/".join(PARTS)
SCOPES = st.integers(1, len(PARTS)).map(lambda n: "/" + "/".join(PARTS[:n])) | st.sampled_from(
    [f"{TARGET}2", TARGET[:-1], f"{TARGET}/blobServices/default", "/subscriptions/other"]
)
ROLES = st.sampled_from(["Reader", "Storage Blob Data Reader", "Storage Blob Data Contributor", "AcrPull", "Owner"])


@given(st.lists(NAMES, max_size=3), st.sampled_from(["", "/credentials/key", "/target"]), st.text(max_size=8))
def test_connections_are_found_in_variables(names: list[str], rest: str, around: str) -> None:
    """Every reference to a connection in a variable, once, and nothing else."""
    text = around.replace("$", "") + " ".join(f"${{{{azureml://connections/{name}{rest}}}}}" for name in names)
    found = of_documents({}, [{"environment_variables": {"A": text, "B": "${{keyvault:https://v/secrets/s/1}}"}}])
    assert found == {"environments": [], "connections": list(dict.fromkeys(names)), "identities": []}


@given(st.lists(st.tuples(ROLES, SCOPES), max_size=4), st.lists(st.tuples(ROLES, SCOPES), max_size=2), st.booleans())
def test_a_role_counts_at_its_scope_and_below(held: list, planned: list, writes: bool) -> None:
    """A role that reads (or writes) blobs, at the storage or above it, that exists or that the plan assigns."""
    row = {"kind": "identity", "reference": "u", "exists": True, "unread": "", "roles": held, "unread_roles": ""}
    found = check([row], {"registry": None, "storage": TARGET, "writes": writes, "planned": planned})
    enough = {"Storage Blob Data Contributor"} | (set() if writes else {"Storage Blob Data Reader"})
    above = {"/" + "/".join(PARTS[:n]) for n in range(1, len(PARTS) + 1)}
    has = any(role in enough and scope in above for role, scope in [*held, *planned])
    assert [reason.code for reason in found.reasons] == ([] if has else ["AML214"])


def test_a_custom_role_is_unknown() -> None:
    """What a custom role allows is not looked up: it refuses nothing."""
    custom = ["0" * 8 + "-0000-0000-0000-" + "0" * 12, TARGET]
    row = {"kind": "identity", "reference": "u", "exists": True, "unread": "", "roles": [custom], "unread_roles": ""}
    found = check([row], {"registry": None, "storage": TARGET, "writes": False, "planned": []})
    assert (found.reasons, len(found.unknown)) == ((), 1)
