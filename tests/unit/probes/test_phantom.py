"""The sample image that the MedImageParse template carries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).parents[3]


def test_the_committed_phantom_is_what_the_script_makes(template, tmp_path):
    """Same pixels, small, and of the documented kind: PNG, RGB, 1024 x 1024."""
    made = tmp_path / "phantom.png"
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "phantom", made], check=True, capture_output=True)
    committed = Image.open(template / "probe" / "phantom.png")
    assert (committed.format, committed.mode, committed.size) == ("PNG", "RGB", (1024, 1024))
    assert np.array_equal(np.asarray(committed), np.asarray(Image.open(made)))
    assert (template / "probe" / "phantom.png").stat().st_size < 60_000
