"""Reads a DICOM image as a radiologist sees it, and names its tags that identify a person.

Rescale slope and intercept, the window of the file and MONOCHROME1 are applied, by pydicom. It is part of the extra
`medical`, and is imported only here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.probes.samples import Unreadable, missing_extra

_IDENTIFYING = frozenset({
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthDate",
    "PatientBirthTime", "PatientBirthName", "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers",
    "PatientInsurancePlanCodeSequence", "OtherPatientIDsSequence", "MilitaryRank", "MedicalRecordLocator",
    "ResponsiblePerson", "ResponsibleOrganization", "PatientComments", "AdditionalPatientHistory", "AccessionNumber",
    "StudyID", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName",
    "DeviceSerialNumber", "ReferringPhysicianName", "ReferringPhysicianAddress",
    "ReferringPhysicianTelephoneNumbers", "ReferringPhysicianIdentificationSequence", "PerformingPhysicianName",
    "PerformingPhysicianIdentificationSequence", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord",
    "OperatorsName", "RequestingPhysician", "RequestAttributesSequence", "AdmissionID", "PersonName", "PersonAddress",
    "PersonTelephoneNumbers",
})  # fmt: skip
"""Tags of the basic profile in DICOM PS3.15, Annex E, whose value identifies a person or where they were treated."""
_DUMMIES = frozenset({"PatientName", "PatientID", "StudyID", "AccessionNumber"})
"""Tags that the profile lets keep a dummy value; accepted if the file states PatientIdentityRemoved: YES."""
_MOST_PIXELS = 64_000_000


def is_dicom(path: Path) -> bool:
    """Whether a file has the prefix of DICOM, or its name ends like that of one."""
    with path.open("rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM" or path.suffix.lower() in (".dcm", ".dicom")


def identifying_tags(path: Path) -> list[str]:
    """The names of tags that identify a person, at any depth of sequences; never their values."""
    dataset = _dataset(path, stop_before_pixels=True)
    try:
        removed = str(dataset.get("PatientIdentityRemoved", "")).upper() == "YES"
        found = {name for name in _names(dataset) if name in _IDENTIFYING and not (removed and name in _DUMMIES)}
        if str(dataset.get("BurnedInAnnotation", "")).upper() == "YES":
            found.add("BurnedInAnnotation")
    except Exception:  # noqa: BLE001 - a damaged value raises many types, and its text must not be shown
        raise Unreadable(f"{path.name} has a value that cannot be read", "Write the file again") from None
    return sorted(found)


def _names(dataset: Any) -> Iterator[str]:
    """The keywords of all elements with a value."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _names(item)
        if element.keyword and str(element.value or "").strip(" ^[]"):
            yield str(element.keyword)


def grey_or_rgb(path: Path) -> Any:
    """The picture as an array of 8 bits: height x width, or height x width x 3. Unreadable with the reason."""
    import numpy as np

    values, limits, is_inverted = shown_values(path)
    low, high = limits
    scaled = np.clip((values.astype(np.float64) - low) / ((high - low) or 1.0), 0, 1) * 255
    picture = np.rint(scaled).astype(np.uint8)
    return 255 - picture if is_inverted else picture


def shown_values(path: Path) -> tuple[Any, tuple[float, float], bool]:
    """The values after rescale and window; which of them are black and white; whether the smallest one is white.

    Of a colour image its RGB values. Unreadable with the reason.
    """
    dataset = _dataset(path, stop_before_pixels=False)
    try:
        frames = int(dataset.get("NumberOfFrames") or 1)
        pixels = int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
        if frames > 1:
            raise Unreadable("it has several frames", "Use a file with one frame")
        if not 0 < pixels <= _MOST_PIXELS:
            raise Unreadable("it is no image, or has too many pixels", "Use an image")
        return _decoded(dataset)
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001 - pydicom and its decoders raise many types
        cause = " ".join(str(error).split())[:200]
        raise Unreadable(f"its pixels cannot be decoded: {cause}", "Save it uncompressed, or as PNG") from None


def _decoded(dataset: Any) -> tuple[Any, tuple[float, float], bool]:
    import numpy as np
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

    values, kind = pixel_array(dataset), str(dataset.get("PhotometricInterpretation", ""))
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        return values, (0.0, float(np.iinfo(values.dtype).max)), False
    if values.ndim == 3:
        return values, (0.0, float(2 ** int(dataset.get("BitsStored") or 8) - 1)), False
    rescaled = apply_modality_lut(values, dataset)
    shown = apply_voi_lut(rescaled, dataset)
    limits = float(np.min(shown)), float(np.max(shown))
    if "WindowWidth" in dataset and "VOILUTSequence" not in dataset:
        ends = apply_voi_lut(np.array([-1e12, 1e12]), dataset)  # what the window makes of the darkest and brightest
        limits = float(ends[0]), float(ends[1])
    return shown, limits, kind == "MONOCHROME1"


def _dataset(path: Path, *, stop_before_pixels: bool) -> Any:
    try:
        import pydicom
    except ImportError:
        raise missing_extra("pydicom", path.name) from None
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=stop_before_pixels, force=True)  # also without a preamble
    except Exception as error:  # noqa: BLE001 - a damaged file raises many types
        raise Unreadable(f"it is not DICOM: {' '.join(str(error).split())[:200]}", "Use a DICOM or PNG file") from None
    if not len(dataset):
        raise Unreadable("it is not DICOM: it has no element", "Use a DICOM or PNG file")
    return dataset
