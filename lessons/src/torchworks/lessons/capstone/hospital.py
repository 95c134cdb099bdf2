"""Folders of DICOM files as hospitals hand them over: a table of labels beside a folder for each patient.

    labels.csv              path,patient,label,split
    P0001/1.dcm             of each patient one or more images
    P0001/2.dcm

The split is by patient: none has images in both parts.
"""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from torchworks.lessons.capstone.anatomy import FIELD, attenuation, draw_patient, draw_pose
from torchworks.lessons.capstone.scanners import Exposure, Scanner, expose

SIZE = 128
"""Pixels a side of the images."""
TABLE = "labels.csv"


@dataclass(frozen=True)
class Row:
    """A line of the table. `path` is relative to the table's folder; `label` is such as effusion|nodule."""

    path: str
    patient: str
    label: str
    split: str


def admit(
    folder: Path, scanner: Scanner, patients: dict[str, int], seed: int, *, images: int = 1, prefix: str = "P"
) -> list[Row]:
    """X-ray so many new `patients` for each part of the split (train, test), each of the test with 1 to `images`
    images and each of the training with one, and write their files and the table.

    One image of each training patient, as `cnn-vision` holds single images out of the training to choose thresholds by:
    two of one patient could fall on both sides.
    """
    random = np.random.default_rng(seed)
    rows = []
    for split, count in patients.items():
        for _ in range(count):
            name = f"{prefix}{len({row.patient for row in rows}) + 1:04}"
            patient = draw_patient(random)
            for number in range(1, 1 + int(random.integers(1, images + 1) if split == "test" else 1)):
                taken = expose(scanner, attenuation(patient, draw_pose(random), SIZE), random)
                write_dicom(folder / name / f"{number}.dcm", taken, scanner, name, number)
                rows.append(Row(f"{name}/{number}.dcm", name, "|".join(patient.findings), split))
    write_table(folder / TABLE, rows)
    return rows


def write_dicom(path: Path, taken: Exposure, scanner: Scanner, patient: str, number: int) -> None:
    """A file as the machine would write it (DICOM PS3.3, A.26: digital X-ray, for presentation)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[scanner.name, patient, str(number)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = Dataset()
    image.file_meta = meta
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.PatientID = image.PatientName = patient
    image.Modality, image.BodyPartExamined, image.ViewPosition = "DX", "CHEST", "PA"
    image.Manufacturer, image.ManufacturerModelName = scanner.name.split(" ", 1)
    image.ImageComments = "Drawn by a simulation. No patient, no diagnosis."
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, scanner.photometric
    image.Rows, image.Columns = taken.stored.shape
    image.PixelSpacing = [round(FIELD * 10 / SIZE, 4)] * 2  # mm
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = f"{taken.slope:g}", f"{taken.intercept:g}", "US"
    image.WindowCenter, image.WindowWidth = f"{taken.center:.1f}", f"{taken.width:.1f}"
    image.PresentationLUTShape = "IDENTITY" if scanner.photometric == "MONOCHROME2" else "INVERSE"
    image.PixelData = taken.stored.astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)


# ---- tables ----------------------------------------------------------------------------------------------


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """The table of labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "patient", "label", "split"])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_table(path: Path) -> list[Row]:
    """The table of labels."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Row(**row) for row in csv.DictReader(file)]
