"""The clock that follows an emulator's world."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deploy.clock import ScaledClock


class Hand:
    """Real time, set by hand: a sleep moves it. The world runs at `scale` and can be advanced."""

    def __init__(self, scale: float = 1.0) -> None:
        self.real, self.scale, self.ahead, self.reads = 0.0, scale, 0.0, 0
        self.sleeps: list[float] = []
        self.on_sleep = lambda: None

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.real

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.real += seconds
        self.on_sleep()

    def read(self) -> tuple[float, float]:
        self.reads += 1
        return 1e9 + self.real * self.scale + self.ahead, self.scale


@given(st.floats(0.01, 3600), st.sampled_from([0.5, 1.0, 5.0, 60.0, 3600.0]))
def test_a_wait_is_shorter_by_the_time_scale(seconds: float, scale: float) -> None:
    """And not a moment shorter than that."""
    hand = Hand(scale)
    ScaledClock(hand, hand.read).sleep(seconds)

    assert abs(hand.real - seconds / scale) <= 1e-6 * (1 + seconds)
    assert max(hand.sleeps) <= 0.5


@given(st.floats(10, 1000), st.floats(0, 2000))
def test_a_wait_ends_when_the_clock_is_advanced(seconds: float, advanced: float) -> None:
    """Half a second later at most, and time never goes back."""
    hand = Hand()
    clock = ScaledClock(hand, hand.read)
    seen = [clock.monotonic()]

    def on_sleep() -> None:
        hand.ahead = advanced if hand.real >= 3 else 0.0
        seen.append(clock.monotonic())

    hand.on_sleep = on_sleep
    clock.sleep(seconds)

    assert hand.real <= max(3.0, seconds - advanced) + 1.1
    assert seen == sorted(seen)


def test_a_world_that_goes_back_or_stops_is_waited_for_at_real_speed() -> None:
    """`clock --set` to an earlier time, and `--scale 0`: no wait is endless."""
    hand = Hand()
    clock = ScaledClock(hand, hand.read)
    hand.ahead = -5000.0
    clock.sleep(20)
    assert hand.real <= 21

    hand.scale = 0.0
    before = hand.real
    clock.sleep(20)
    assert hand.real - before <= 21
