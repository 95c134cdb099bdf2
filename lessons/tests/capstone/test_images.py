"""The drawn images: physics that holds, DICOM that reads back as it should be seen, patients who are never in both
parts."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from torchworks.lessons.capstone import faults
from torchworks.lessons.capstone.anatomy import FINDINGS, Pose, attenuation, draw_patient, without
from torchworks.lessons.capstone.hospital import SIZE, TABLE, admit, read_table
from torchworks.lessons.capstone.scanners import ARCHIVE, NEW, OURS, SCANNERS, expose
from torchworks.lessons.capstone.traffic import png_of, shuffled
from torchworks.shared.config import ImageConfig
from torchworks.shared.data.images import picture
from torchworks.shared.data.report import check


@pytest.fixture(scope="module")
def ill():
    """A patient with all findings."""
    random = np.random.default_rng(0)
    return next(found for found in iter(lambda: draw_patient(random, 0.9), None) if found.findings == FINDINGS)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """A spoiled folder, what was planted, and the rows before."""
    folder = tmp_path_factory.mktemp("ours")
    rows = admit(folder, OURS, {"train": 90, "test": 12}, 2, images=3)
    return folder, faults.plant(folder), rows


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_weakens_the_rays_that_cross_it_and_no_others(ill, finding):
    difference = attenuation(ill, Pose(), 64) - attenuation(without(ill, finding), Pose(), 64)
    assert difference.max() > 0.1
    assert difference.min() > -1e-4
    assert (np.abs(difference) < 1e-3).mean() > 0.7


def test_who_has_no_finding_has_no_label(ill):
    healthy = ill
    for finding in FINDINGS:
        healthy = without(healthy, finding)
    assert healthy.findings == ()
    assert ill.findings == FINDINGS


def test_less_dose_is_more_noise():
    flat = np.full((64, 64), 3.0, np.float32)
    bright, dark = (
        expose(replace(OURS, photons=photons), flat, np.random.default_rng(0)).stored[20:44, 20:44].std()
        for photons in (1e5, 1e3)
    )
    assert dark > 4 * bright


@pytest.mark.parametrize("scanner", SCANNERS.values(), ids=list(SCANNERS))
def test_a_file_reads_back_as_12_bits_and_is_seen_with_the_spine_bright_and_the_lungs_dark(tmp_path, scanner):
    (row,) = admit(tmp_path, scanner, {"train": 1}, 3)
    file = tmp_path / row.path
    image = dcmread(file)
    assert image.PhotometricInterpretation == scanner.photometric
    assert image.pixel_array.dtype == np.uint16
    assert image.pixel_array.max() < 4096
    assert image.PatientID == row.patient
    assert "no diagnosis" in image.ImageComments
    seen = np.asarray(picture(file, 0), float)
    assert seen.shape == (SIZE, SIZE)
    spine, lung = seen[70:110, 60:68].mean(), seen[45:65, 34:46].mean()
    assert spine > lung + 40
    assert png_of(file).startswith(b"\x89PNG")


def test_the_new_machine_shows_the_same_patient_paler(ill):
    random = np.random.default_rng(1)
    weakened = attenuation(ill, Pose(), SIZE)
    contrasts = []
    for scanner in (ARCHIVE, NEW):
        taken = expose(scanner, weakened, random)
        shown = np.clip((taken.stored * taken.slope + taken.intercept - taken.center) / taken.width + 0.5, 0, 1)
        contrasts.append(shown[30:80, 25:100].std())
    assert contrasts[1] < 0.9 * contrasts[0]


def test_no_patient_is_in_both_parts_before_and_after_the_repair(ours):
    folder, planted, before = ours
    for rows in (before, faults.repaired(read_table(folder / TABLE), planted)):
        parts = [{row.patient for row in rows if row.split == part} for part in ("train", "test")]
        assert len(parts[0]) > 50
        assert len(parts[1]) == 12
        assert not parts[0] & parts[1]


def test_of_a_training_patient_there_is_one_image(ours):
    patients = [row.patient for row in ours[2] if row.split == "train"]
    assert len(patients) == len(set(patients))


def test_the_check_names_every_planted_fault_and_passes_the_repaired_table(ours, tmp_path):
    folder, planted, _ = ours
    assert {fault.name for fault in planted} == set(faults.SAYS)
    config = ImageConfig(image_size=48, multi_label=True, root=tmp_path)
    raw = check(f"csv:{folder / TABLE}", config)
    assert not raw.ok
    for fault in planted:
        assert faults.SAYS[fault.name] in str(raw), fault
        assert fault.path in str(raw) or fault.name == "slip"
    faults.write_table(folder / "repaired.csv", faults.repaired(read_table(folder / TABLE), planted))
    repaired = check(f"csv:{folder / 'repaired.csv'}", config)
    assert repaired.ok
    said = str(repaired)
    assert not any(words in said for name, words in faults.SAYS.items() if name != "stray")


def test_shuffled_labels_stay_within_the_training_part(ours):
    rows = ours[2]
    mixed = shuffled(rows, 0)
    assert sorted(row.path for row in mixed) == sorted(row.path for row in rows)
    assert [row for row in mixed if row.split == "test"] == [row for row in rows if row.split == "test"]
    assert sum(a.label != b.label for a, b in zip(mixed, rows, strict=True)) > 30
