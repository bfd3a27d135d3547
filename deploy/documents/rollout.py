"""How a new release replaces the one before it: the `rollout` of a pipeline file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploy.documents.fields import Duration, Kept, Percent, Written


class Rollout(Written):
    """How traffic moves from one release to the next."""

    strategy: Literal["blue_green", "in_place"] = Field(
        default="blue_green",
        description="blue_green: a second deployment takes over by stages. in_place: the same one changes.",
    )
    stages: tuple[Annotated[Percent, Field(ge=1)], ...] = Field(
        default=(100,), min_length=1, description="Percentages of traffic on the new release; growing, the last is 100."
    )
    bake: Duration = Field(default=0.0, description="How long a stage is watched before the next: 5m, or seconds.")
    keep_previous: Kept = Field(
        default=86_400.0,
        description="How long the previous release stays in the idle slot: 24h, 0 or forever. A rollback needs it. "
        "With 0 the rollout ends with its deletion; with a duration `reap` deletes it afterwards.",
    )
