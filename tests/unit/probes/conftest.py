"""The sample that the MedImageParse template carries, and a probe that sends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TEMPLATE = Path(__file__).parents[3] / "templates" / "medimageparse"


@pytest.fixture(scope="session")
def template() -> Path:
    return TEMPLATE


@pytest.fixture
def phantom() -> dict[str, Any]:
    return {"type": "medimageparse", "image": "probe/phantom.png", "text": "left lung & right lung", "status": 200}
