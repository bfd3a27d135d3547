"""The `rollout` part of a pipeline file: how a new release replaces the previous one."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Strict, Tag, WithJsonSchema

from deploy.documents.fields import Document, Duration, Flag, Percent, Retention, Whole, union_tag

MIN_BAKE = 600.0
"""Seconds of the shortest bake of a gate."""
_PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def _share(value: Any) -> Any:
    """`0.5%` or 0.005 as a share of one."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())
        if not match:
            raise ValueError("is not a percentage: use a number with %, such as 0.5%")
        return float(match[1]) / 100
    return value


def _per_minute(value: Any) -> Any:
    """`6/min` or a number, as requests per minute."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|h)", value.strip())
        if not match:
            raise ValueError("is not a rate: use requests per s, min or h, such as 6/min")
        return float(match[1]) * 60 / _PERIODS[match[2]]
    return value


Share = Annotated[
    float,
    Strict(),
    BeforeValidator(_share),
    Field(ge=0, le=1),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}]}
    ),
]
"""A share of one, written `0.5%` or 0.005."""
Rate = Annotated[
    float,
    Strict(),
    BeforeValidator(_per_minute),
    Field(ge=0, le=600),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 600},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*/\s*(s|min|h)$"},
            ]
        }
    ),
]
"""Requests per minute, at most 600; written `6/min`, `0.1/s` or as a number."""
_Ratio = Annotated[float, Strict(), Field(ge=1, le=100, allow_inf_nan=False)]


class ErrorRate(Document):
    """How many more errors than the live release a new one may have. It goes back only if both limits are passed."""

    max_ratio: _Ratio = Field(
        default=2.0, description="The new release may have so many times the error rate of the live one.", examples=[2]
    )
    min_increase: Share = Field(
        default=0.005,
        description="A smaller increase of the error rate is never a reason to go back: 0.5%, or a share of one.",
        examples=["0.5%"],
    )


class LatencyP95(Document):
    """How much slower than the live release a new one may be."""

    max_ratio: _Ratio = Field(
        default=1.5, description="The new release may take so many times as long as the live one.", examples=[1.5]
    )


class Gate(Document):
    """What decides, during each bake, whether a rollout goes on: both slots are compared over the same minutes."""

    error_rate: ErrorRate = Field(
        default=ErrorRate(),
        description="The share of answers with another status than 2xx, of all requests to a slot.",
        examples=[{"max_ratio": 2, "min_increase": "0.5%"}],
    )
    latency_p95: LatencyP95 = Field(
        default=LatencyP95(), description="The 95th percentile of the latency.", examples=[{"max_ratio": 1.5}]
    )
    min_requests: Whole = Field(
        default=50, ge=1, le=1_000_000, description="A stage ends only after so many requests to the new slot."
    )
    rate: Rate = Field(
        default=6.0,
        description="Requests of our own to each slot during the bake: the cases of the probe, in turn. 0: none.",
        examples=["6/min"],
    )
    hold: Duration = Field(
        default=1800.0,
        description="How long a stage goes on after its bake while there are too few requests.",
        examples=["30m"],
    )
    on_no_data: Literal["abort", "promote"] = Field(
        default="abort", description="What happens at the end of hold: abort moves all traffic back."
    )


class Stage(Document):
    """One stage of a rollout."""

    traffic: Annotated[Percent, Field(ge=1)] = Field(
        description="Percentage of traffic for the new release.", examples=[10]
    )
    bake: Duration | None = Field(
        default=None, description="How long this stage is observed; default: rollout.bake.", examples=["10m"]
    )
    pause: Flag = Field(default=False, description="The run ends at this stage; the next apply continues from it.")


class Rollout(Document):
    """How traffic moves to a new release."""

    strategy: Literal["blue_green", "in_place"] = Field(
        default="blue_green",
        description="blue_green: a second deployment receives traffic in stages. in_place: the deployment is updated.",
    )
    stages: tuple[
        Annotated[
            Annotated[Percent, Field(ge=1), Tag("reference")] | Annotated[Stage, Tag("inline")],
            Discriminator(union_tag),
        ],
        ...,
    ] = Field(
        default=(100,),
        min_length=1,
        description="Percentages of traffic for the new release, ascending; the last is 100. A stage with a bake of "
        "its own, or at which the run pauses, is `{traffic: 50, pause: true}`.",
        examples=[[10, 50, 100]],
    )
    bake: Duration = Field(
        default=0.0, description="How long a stage is observed before the next: 5m, or seconds.", examples=["5m"]
    )
    mirror_traffic: Annotated[Percent, Field(ge=1, le=50)] | None = Field(
        default=None,
        description="Before the first stage, so many percent of the requests are also sent to the new release, for "
        "one bake. Clients get the answers of the live one.",
        examples=[20],
    )
    gate: Gate | None = Field(
        default=None,
        description="Compare the new release with the live one during each bake, and go back if it is worse. "
        "`gate: {}` takes the defaults.",
        examples=[{}],
    )
    keep_previous: Retention = Field(
        default=86_400.0,
        description="How long the previous release stays in the idle slot for a rollback: 24h, 0 or forever. "
        "0: the rollout deletes it at its end. A duration: `reap` deletes it afterwards.",
        examples=["24h"],
    )

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The stages, each with its bake in seconds, default included."""
        every = (each if isinstance(each, Stage) else Stage(traffic=each) for each in self.stages)
        return tuple(each if each.bake is not None else each.model_copy(update={"bake": self.bake}) for each in every)
