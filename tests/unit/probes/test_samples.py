"""The samples that the templates carry, and their request through stand-in and check."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from deploy import probes
from tests.project import ROOT
from tests.unit.probes.given import answer_of_the_stand_in, template

PICTURES = {
    "medimageinsight/probe/chest.png": ("L", (512, 512)),
    "cxrreportgen/probe/chest.png": ("L", (896, 1024)),
    "gigapath/probe/tile.png": ("RGB", (256, 256)),
}
VOLUME = "medimageparse3d/probe/torso.nii.gz"
MODELS = {
    "medimageparse": "MedImageParse",
    "medimageparse3d": "MedImageParse3D",
    "medimageinsight": "MedImageInsight",
    "cxrreportgen": "CxrReportGen",
    "gigapath": "Prov-GigaPath",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The samples as the script makes them now."""
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([sys.executable, ROOT / "scripts" / "samples", folder], check=True, capture_output=True)
    return folder


def test_the_committed_samples_are_what_the_script_makes(made):
    """Same pixels, same voxels, of the documented kind, and small."""
    for name, (mode, size) in PICTURES.items():
        committed = Image.open(template(name))
        assert (committed.format, committed.mode, committed.size) == ("PNG", mode, size)
        assert np.array_equal(np.asarray(committed), np.asarray(Image.open(made / name)))
        assert template(name).stat().st_size < 100_000
    assert gzip.decompress(template(VOLUME).read_bytes()) == gzip.decompress((made / VOLUME).read_bytes())
    assert template(VOLUME).stat().st_size < 30_000


def test_the_volume_carries_no_date(made):
    """Made tomorrow, it is the same file: the gzip header has no time in it."""
    assert (made / VOLUME).read_bytes()[4:8] == bytes(4)


@pytest.mark.parametrize("name", MODELS)
def test_the_templates_own_probe_passes_against_the_stand_in(name):
    """The request of pipeline.yml.j2 is accepted, and the response passes without a warning."""
    text = (template(name) / "pipeline.yml.j2").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.split("\n") if not line.startswith("{%"))
    start = text.index("\nprobe:\n")
    probe = {"text": None, "status": 200, **yaml.safe_load(text[start : text.index("\nrollout:")])["probe"]}
    seen = probes.find(name).check(probe, template(name), 200, answer_of_the_stand_in(probe, MODELS[name]))
    assert seen.data["type"] == name
    assert not seen.data.get("warnings")
