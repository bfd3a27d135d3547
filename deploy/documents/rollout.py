"""The `rollout` part of a pipeline file: how a new release replaces the previous one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploy.documents.fields import Document, Duration, Percent, Retention


class Rollout(Document):
    """How traffic moves to a new release."""

    strategy: Literal["blue_green", "in_place"] = Field(
        default="blue_green",
        description="blue_green: a second deployment receives traffic in stages. in_place: the deployment is updated.",
    )
    stages: tuple[Annotated[Percent, Field(ge=1)], ...] = Field(
        default=(100,),
        min_length=1,
        description="Percentages of traffic for the new release, ascending; the last is 100.",
        examples=[[10, 50, 100]],
    )
    bake: Duration = Field(
        default=0.0, description="How long a stage is observed before the next: 5m, or seconds.", examples=["5m"]
    )
    keep_previous: Retention = Field(
        default=86_400.0,
        description="How long the previous release stays in the idle slot for a rollback: 24h, 0 or forever. "
        "0: the rollout deletes it at its end. A duration: `reap` deletes it afterwards.",
        examples=["24h"],
    )
