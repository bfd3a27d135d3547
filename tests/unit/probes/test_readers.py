"""Inputs of cases: files have the pixels that pydicom and nibabel give, or are refused with a reason."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.probes import dicom, inputs, nifti
from deploy.probes.samples import Unreadable
from tests.project import ROOT

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed: pip install 'amldeploy[medical]'")
nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed: pip install 'amldeploy[medical]'")
DICOMS = sorted(path for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*") if path.is_file())
NIFTIS = sorted((Path(nibabel.__file__).parent / "tests" / "data").glob("*.nii*"))
SOME = (
    "CT_small.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_rle_16bit.dcm", "badVR.dcm", "examples_palette.dcm", "reportsi.dcm",
    "MR_truncated.dcm", "SC_rgb_rle_2frame.dcm",
)  # fmt: skip
NO_WARNING = pytest.mark.filterwarnings("ignore")  # pydicom and nibabel warn about many of their own damaged files


def attempt(work):
    """The result, or the reason of a refusal. Any other exception is a failure of the test."""
    try:
        return work()
    except Unreadable as reason:
        return reason.cause


@NO_WARNING
def test_dicom_files_are_read_as_pydicom_reads_them(request):
    """Rescaled, windowed values of grey images, RGB of colour images. Every refusal has a reason."""
    chosen = DICOMS if request.config.getoption("--laws") == "full" else [p for p in DICOMS if p.name in SOME]
    read = refused = 0
    for path in chosen:
        values = attempt(lambda path=path: dicom.shown_values(path)[0])
        if isinstance(values, str):
            assert values
            refused += 1
            continue
        dataset = pydicom.dcmread(path, force=True)
        pixels = dataset.pixel_array
        if dataset.PhotometricInterpretation.startswith("YBR"):
            pixels = pydicom.pixels.pixel_array(dataset)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = pydicom.pixels.apply_color_lut(pixels, dataset)
        elif pixels.ndim == 2:
            pixels = pydicom.pixels.apply_voi_lut(pydicom.pixels.apply_modality_lut(pixels, dataset), dataset)
        assert np.array_equal(values, pixels), path.name
        picture = dicom.grey_or_rgb(path)
        assert picture.dtype == np.uint8
        assert picture.shape[:2] == (dataset.Rows, dataset.Columns)
        read += 1
    assert read > 3
    assert refused > 2


@NO_WARNING
def test_nifti_files_are_read_as_nibabel_reads_them():
    """The file that is sent has the values and the affine that nibabel gives for the original."""
    read = 0
    for path in NIFTIS:
        sent = attempt(lambda path=path: inputs.convert(path, "nifti"))
        if isinstance(sent, str):
            assert sent
            continue
        head, stored = nifti.volume(sent, nifti.header(sent).shape)
        values = np.asarray(stored).reshape(head.shape, order="F") * head.slope + head.intercept
        original = nibabel.load(path)
        assert np.allclose(
            values, np.asarray(original.get_fdata()).reshape(head.shape), rtol=1e-5, atol=1e-3, equal_nan=True
        ), path.name
        again = nibabel.Nifti1Image.from_bytes(gzip.decompress(sent))
        assert np.allclose(again.affine, original.affine, atol=1e-4), path.name
        assert head.affine is None or np.allclose(head.affine, original.affine[:3], atol=1e-3), path.name
        read += 1
    assert read >= 2


def written(folder, values, **tags):
    """A DICOM file with these pixels."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(folder / "x.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
    shown = {
        "Rows": values.shape[0], "Columns": values.shape[1], "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "SamplesPerPixel": 1, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SOPInstanceUID": "1.2.3", **tags,
    }  # fmt: skip
    for name, value in shown.items():
        setattr(dataset, name, value)
    assert isinstance(dataset, Dataset)
    dataset.PixelData = values.astype("<u2").tobytes()
    dataset.save_as(folder / "x.dcm", enforce_file_format=True)
    return folder / "x.dcm"


def test_a_window_a_rescale_and_monochrome1_are_applied(tmp_path):
    """Known grey values, written by hand."""
    ramp = np.arange(0, 4096, 1024).reshape(2, 2) + np.array([[0, 0], [0, 1023]])
    plain = dicom.grey_or_rgb(written(tmp_path, ramp))
    assert plain.tolist() == [[0, 64], [128, 255]]
    inverted = dicom.grey_or_rgb(written(tmp_path, ramp, PhotometricInterpretation="MONOCHROME1"))
    assert (255 - inverted).tolist() == plain.tolist()
    window = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 0, "WindowWidth": 2048}
    windowed = dicom.grey_or_rgb(written(tmp_path, ramp, **window))
    assert windowed.tolist() == [[0, 128], [255, 255]]


def test_a_colour_image_of_16_bits_keeps_its_tones():
    """Scaled, not cut to its lower byte."""
    path = next(path for path in DICOMS if path.name == "SC_rgb_rle_16bit.dcm")
    same = next(path for path in DICOMS if path.name == "SC_rgb_rle.dcm")
    difference = dicom.grey_or_rgb(path).astype(int) - dicom.grey_or_rgb(same).astype(int)
    assert np.abs(difference).max() <= 1


def test_tags_that_identify_a_person_are_named(tmp_path):
    """Names only, in sequences, too. A dummy name is accepted with PatientIdentityRemoved; a burned-in text is not."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    pixels = np.zeros((2, 2))
    assert dicom.identifying_tags(written(tmp_path, pixels, PatientName="", Modality="CT")) == []
    named = written(tmp_path, pixels, PatientName="Doe^Jane", InstitutionName="General", PatientBirthDate="19700101")
    assert dicom.identifying_tags(named) == ["InstitutionName", "PatientBirthDate", "PatientName"]
    dummy = written(tmp_path, pixels, PatientName="case 7", PatientID="7", PatientIdentityRemoved="YES")
    assert dicom.identifying_tags(dummy) == []
    inner = Dataset()
    inner.ReferringPhysicianName = "Doe^John"
    deep = written(tmp_path, pixels, ReferencedStudySequence=Sequence([inner]), BurnedInAnnotation="YES")
    assert dicom.identifying_tags(deep) == ["BurnedInAnnotation", "ReferringPhysicianName"]


@NO_WARNING
def test_a_jpeg_becomes_png_and_other_files_are_refused(tmp_path):
    """The pixels of the JPEG; each refusal names what is wrong."""
    out = io.BytesIO()
    Image.new("L", (8, 4), 77).save(out, "JPEG")
    (tmp_path / "a.jpg").write_bytes(out.getvalue())
    assert Image.open(io.BytesIO(inputs.convert(tmp_path / "a.jpg", "png"))).size == (8, 4)
    for name, content, wanted, words in [
        ("b.jpg", b"no", "png", "it is not a JPEG image"),
        ("c.bmp", b"BM", "png", "files with the ending '.bmp' are not read"),
        ("a.jpg", out.getvalue(), "nifti", "the model takes a volume, this is an image"),
        ("d.nii", b"no", "nifti", "it is not a NIfTI volume"),
        ("e.dcm", b"no", "png", "it is n"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Unreadable, match=words):
            inputs.convert(tmp_path / name, wanted)


WITHOUT = """
import sys
sys.modules.update(pydicom=None, nibabel=None)
from pathlib import Path
from deploy.probes import inputs
from deploy.probes.samples import Unreadable
for name, wanted in (("x.dcm", "png"), ("x.nii", "nifti")):
    try:
        inputs.convert(Path(name), wanted)
    except Unreadable as reason:
        print(reason.cause, "|", reason.cure)
"""


def test_without_the_extra_the_error_names_it(tmp_path):
    """And a template without such files works: the readers of PNG, JPEG and plain NIfTI-1 need no extra."""
    written(tmp_path, np.zeros((2, 2)))
    (tmp_path / "x.nii").write_bytes(b"no nifti")
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    one, other = ran.stdout.splitlines()
    assert one == "x.dcm needs pydicom, which is not installed | Install it: pip install 'amldeploy[medical]'"
    assert other.startswith("x.nii (expected ")
    assert other.endswith("needs nibabel, which is not installed | Install it: pip install 'amldeploy[medical]'")
