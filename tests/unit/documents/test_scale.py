"""`scale` in pipeline.yml: what is refused, and that the editor's schema refuses the same."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from deploy.documents.json_schema import schema
from deploy.documents.pipeline import Pipeline
from deploy.documents.scale import MOST_PROFILES

LIMITS = {"min": 2, "max": 5}
RULE = {"metric": "CpuUtilizationPercentage", "above": 70, "add": 2}
WEEKLY = {"name": "weekend", "min": 1, "max": 2, "days": ["Saturday"], "start": "00:00", "end": "23:59"}
ONCE = {"name": "launch", "min": 1, "max": 2, "start": "2026-12-01T08:00:00Z", "end": "2026-12-01T20:00:00Z"}
MANY = [{**WEEKLY, "name": f"p{n}"} for n in range(MOST_PROFILES // 2 + 1)]


@pytest.mark.parametrize(
    "scale",
    [
        LIMITS,
        {"adopt": True},
        {"adopt": True, **LIMITS},
        {**LIMITS, "rules": [RULE, {**RULE, "of": "endpoint", "window": "1h", "cooldown": 60}]},
        {**LIMITS, "profiles": [WEEKLY, ONCE, {**ONCE, "name": "other", "rules": []}]},
    ],
)
def test_right(scale: dict[str, Any]) -> None:
    """Accepted by the tool and by the editor."""
    Pipeline.model_validate({"scale": scale})
    jsonschema.Draft202012Validator(schema("pipeline")).validate({"scale": scale})


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ({}, "needs min and max, or only adopt: true"),
        ({"min": 2}, "needs min and max"),
        ({"adopt": False}, "needs min and max"),
        ({"adopt": True, "rules": [RULE]}, "needs min and max"),
        ({"min": 0, "max": 5}, "greater than or equal to 1"),
        ({"min": 5, "max": 1001}, "less than or equal to 1000"),
        ({"min": 6, "max": 5}, "min 6, which is more than max 5"),
        ({**LIMITS, "rules": [RULE] * 11}, "at most 10"),
        ({**LIMITS, "rules": [{**RULE, "below": 7}]}, "exactly one of above and below"),
        ({**LIMITS, "rules": [{"metric": "x", "above": 7}]}, "exactly one of add and remove"),
        ({**LIMITS, "rules": [{**RULE, "window": "4m"}]}, "greater than or equal to 300"),
        ({**LIMITS, "rules": [{**RULE, "cooldown": "169h"}]}, "less than or equal to 604800"),
        ({**LIMITS, "rules": [{**RULE, "above": float("nan")}]}, "finite number"),
        ({**LIMITS, "profiles": [WEEKLY, {**ONCE, "name": "Weekend"}]}, "two profiles with the same name"),
        ({**LIMITS, "profiles": MANY}, "Azure allows 20"),
        ({**LIMITS, "profiles": [{**WEEKLY, "name": "Default"}]}, "cannot have the name default"),
        ({**LIMITS, "profiles": [{**WEEKLY, "start": "24:00"}]}, "times of day"),
        ({**LIMITS, "profiles": [{**WEEKLY, "end": "00:00"}]}, "end after start"),
        ({**LIMITS, "profiles": [{**WEEKLY, "min": 3}]}, "min 3, which is more than max 2"),
        ({**LIMITS, "profiles": [{**ONCE, "start": "08:00"}]}, "needs days, or start and end"),
        ({**LIMITS, "profiles": [{**ONCE, "end": "2026-12-01"}]}, "needs days, or start and end"),
        ({**LIMITS, "profiles": [{**ONCE, "end": "2026-11-01T08:00:00Z"}]}, "end after its start"),
    ],
)
def test_wrong(scale: dict[str, Any], words: str) -> None:
    """Refused before anything is sent."""
    with pytest.raises(ValidationError, match=words):
        Pipeline.model_validate({"scale": scale})


@pytest.mark.parametrize("scale", [{}, {"min": 2}, {**LIMITS, "rules": [{**RULE, "below": 7}]}, {"min": 0, "max": 1}])
def test_the_editor_sees_it(scale: dict[str, Any]) -> None:
    """What a schema can say, it says."""
    assert not jsonschema.Draft202012Validator(schema("pipeline")).is_valid({"scale": scale})
