"""One list for many operations in a collection, and a read for each where that is fewer requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.busy_list import BusyList

COLLECTION = "/workspaces/w/onlineEndpoints"


class Azure:
    """A workspace whose endpoints are busy until a moment."""

    def __init__(self, ends: dict[str, float]) -> None:
        self.now, self.ends, self.lists = 0.0, ends, 0

    def monotonic(self) -> float:
        return self.now

    def read(self, path: str) -> list[dict[str, Any]]:
        assert path == COLLECTION
        self.lists += 1
        return [
            {"name": name, "properties": {"provisioningState": "Creating" if end > self.now else "Succeeded"}}
            for name, end in self.ends.items()
        ]


@given(st.lists(st.floats(0, 600), min_size=1, max_size=60), st.floats(0.5, 16))
def test_an_end_is_never_hidden_for_longer_than_a_list_is_used(ends: list[float], interval: float) -> None:
    """And what is busy is never taken for finished on its word: the caller reads what the list does not call busy."""
    azure = Azure({f"e{n}": end for n, end in enumerate(ends)})
    busy = BusyList(azure.monotonic)
    while azure.now < 620:
        for name, end in azure.ends.items():
            if busy.is_busy(f"{COLLECTION}/{name}", len(ends), azure.read):
                assert azure.now <= end + 2.0 + 1e-9
        azure.now += interval


def test_a_hundred_operations_share_a_list() -> None:
    """Each is asked about every 16 seconds, at its own moment; the list is read every two seconds."""
    azure = Azure({f"e{n}": 1e9 for n in range(100)})
    busy, asked = BusyList(azure.monotonic), 0
    for second in range(160):
        azure.now = float(second)
        for n in range(second % 16, 100, 16):
            asked += busy.is_busy(f"{COLLECTION}/e{n}", 100, azure.read)

    assert asked == 1000
    assert azure.lists <= 160 / 2


@pytest.mark.parametrize(("size", "in_flight", "lists"), [(100, 4, 0), (100, 5, 3), (5000, 100, 1)])
def test_a_list_that_is_more_requests_is_not_read_again(size: int, in_flight: int, lists: int) -> None:
    """Few operations, or a workspace so large that its list has more pages than there are reads to save."""
    azure = Azure({f"e{n}": 1e9 for n in range(size)})
    busy = BusyList(azure.monotonic)
    for _ in range(3):
        busy.is_busy(f"{COLLECTION}/e1", in_flight, azure.read)
        azure.now += 10.0

    assert azure.lists == lists
