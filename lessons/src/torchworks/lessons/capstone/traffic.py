"""Requests to the service: images of patients who come one after the other, and what was answered.

Whether an answer was right is known only later, when somebody has looked at the image; here the labels lie beside it.
"""

import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from torchworks.lessons.capstone.anatomy import FINDINGS
from torchworks.lessons.capstone.hospital import Row
from torchworks.lessons.capstone.scoring import Score, score, truth_of
from torchworks.lessons.capstone.service import NAME, Refused, Service
from torchworks.serving.client import Client, ServiceError
from torchworks.shared.data.images import picture


@dataclass(frozen=True)
class Asked:
    """A request and its answer; `version` and `probability` are empty where it failed."""

    phase: str
    row: Row
    version: str
    probability: tuple[float, ...]


def png_of(file: Path) -> bytes:
    """A DICOM file as people see it, by window and polarity, as PNG, which the service takes."""
    content = io.BytesIO()
    picture(file, 0).save(content, "PNG")
    return content.getvalue()


class Traffic:
    """Sends images to the service and remembers every request in `log`."""

    def __init__(self, service: Service):
        self.service = service
        self.log: list[Asked] = []
        self.failures: list[str] = []

    def send(
        self,
        phase: str,
        folder: Path,
        rows: Sequence[Row],
        *,
        enough: Callable[[int], bool] = lambda count: False,
        by_hand: bool = False,
    ) -> int:
        """Send images by the Python client, or `by_hand` with the patient as X-Sticky-Key, until it is `enough`
        after so many requests. Returns their number."""
        with Client(self.service.url, api_key=self.service.key) as client:
            model = client.model(NAME)
            for count, row in enumerate(rows, 1):
                image = png_of(folder / row.path)
                try:
                    if by_hand:
                        version, found = self._by_hand(row, image)
                    else:
                        answer = model.predict(image=image)
                        version, found = answer.version, answer[0].probabilities
                    self.log.append(Asked(phase, row, version, tuple(found[name] for name in FINDINGS)))
                except (ServiceError, Refused, OSError, HTTPException) as error:
                    self.failures.append(f"{phase}, {row.path}: {error}")
                    self.log.append(Asked(phase, row, "", ()))
                if enough(count):
                    return count
        return len(rows)

    def _by_hand(self, row: Row, image: bytes) -> tuple[str, dict[str, float]]:
        path = f"/v1/models/{NAME}/predict"
        content = self.service.ask("POST", path, image, Content_Type="image/png", X_Sticky_Key=row.patient)
        answer = json.loads(content)
        (output,) = answer["outputs"].values()
        return answer["version"], output[0]

    def answered(self, phase: str, version: str | None = None) -> list[Asked]:
        """The answers of a phase, of one version or of all."""
        return [each for each in self.log if each.phase == phase and each.version and version in (None, each.version)]


def score_of(answers: Sequence[Asked], resamples: int) -> Score:
    """By the labels, now that they are known."""
    rows = [each.row for each in answers]
    probability = np.array([each.probability for each in answers])
    return score(truth_of(rows), probability, [row.patient for row in rows], resamples)


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """The training rows with each other's labels: a join by the wrong column, as it happens."""
    train = [row for row in rows if row.split == "train"]
    labels = [row.label for row in train]
    random.Random(seed).shuffle(labels)
    mixed = [Row(row.path, row.patient, label, row.split) for row, label in zip(train, labels, strict=True)]
    return mixed + [row for row in rows if row.split == "test"]
