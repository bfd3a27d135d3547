"""The gate in front of the resource manager: nothing is sent that would be refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cloud.rate_limit import RateLimiter

REST = "x-ms-ratelimit-remaining-subscription-writes"
WHOLE = "x-ms-ratelimit-remaining-subscription-global-writes"


@dataclass
class Azure:
    """A resource manager with one bucket, and a shared clock."""

    tokens: float = 200.0
    now: float = 0.0
    refused: int = 0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.tokens = min(200.0, self.tokens + 10 * seconds)

    def send(self, budget: RateLimiter, method: str = "PUT") -> None:
        with budget.turn(method) as heard:
            if self.tokens < 1:
                self.refused += 1
                heard(429, {"Retry-After": "1"})
            else:
                self.tokens -= 1
                heard(200, {REST: str(int(self.tokens))})

    def budget(self) -> RateLimiter:
        return RateLimiter(monotonic=self.monotonic, sleep=self.sleep)


def test_a_full_bucket_is_spent_at_once_and_then_ten_a_second() -> None:
    """500 writes take thirty seconds, and none is refused."""
    azure = Azure()
    budget = azure.budget()
    for _ in range(500):
        azure.send(budget)

    assert azure.refused == 0
    assert azure.now == pytest.approx(30, abs=0.2)


@given(st.floats(1, 200))
def test_requests_of_other_clients_are_counted(tokens: float) -> None:
    """With any number of tokens left, the first response updates the bucket, and no later request is refused."""
    azure = Azure(tokens=tokens)
    budget = azure.budget()
    for _ in range(250):
        azure.send(budget)

    assert azure.refused == 0


def test_the_subscription_counts_too() -> None:
    """The smaller of the principal's and the subscription's rest decides."""
    azure = Azure()
    budget = azure.budget()
    with budget.turn("PUT") as heard:
        heard(200, {REST: "199", WHOLE: "0"})
    with budget.turn("PUT"):
        pass

    assert sum(azure.waits) == pytest.approx(0.1)


def test_an_operation_can_ask_how_long_azure_refuses_changes() -> None:
    """So that it waits without a thread; reads go on."""
    azure = Azure()
    budget = azure.budget()
    assert budget.refused_for("PUT") == 0
    with budget.turn("PATCH") as heard:
        heard(429, {"Retry-After": "17"})
    azure.now += 2

    assert budget.refused_for("PUT") == 15
    assert (budget.refused_for("GET"), budget.refused_for("DELETE")) == (0, 0)


def test_a_429_stops_all_requests() -> None:
    """After a 429, no request is sent before Retry-After has passed."""
    azure = Azure()
    budget = azure.budget()
    with budget.turn("PUT") as heard:
        heard(429, {"Retry-After": "17"})
    with budget.turn("POST"):
        pass

    assert azure.now == 17


def test_reads_and_deletes_have_budgets_of_their_own() -> None:
    """A waiting write does not delay reads or deletes."""
    azure = Azure()
    budget = azure.budget()
    with budget.turn("PUT") as heard:
        heard(429, {"Retry-After": "17"})
    for method in ("GET", "HEAD", "DELETE"):
        with budget.turn(method):
            pass

    assert azure.waits == []


def test_the_remaining_number_of_azure_is_used() -> None:
    """If Azure returns a full bucket, requests do not wait for the documented refill."""
    azure = Azure()
    budget = azure.budget()
    for _ in range(1000):
        with budget.turn("PUT") as heard:
            heard(200, {REST: "199", WHOLE: "2999"})

    assert azure.waits == []


def test_requests_in_flight_are_counted() -> None:
    """With three in flight and three left in a response, one more can be sent, and the next waits."""
    azure = Azure()
    budget = azure.budget()
    azure.send(budget)
    with budget.turn("PUT"), budget.turn("PUT"), budget.turn("PUT") as heard:
        heard(200, {REST: "3"})
        with budget.turn("PUT"):
            assert azure.waits == []
            with budget.turn("PUT"):
                assert azure.waits == [pytest.approx(0.1)]
