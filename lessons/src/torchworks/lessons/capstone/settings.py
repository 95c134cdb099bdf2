"""How large the capstone's hospital is, and how long its models train."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Numbers of patients, training steps and requests."""

    seeds: int = 3
    """Trainings of the transferred model and of the one from scratch."""
    archive: int = 600
    """Patients of the other hospital."""
    train: int = 100
    """Patients of ours with labels to learn from."""
    test: int = 150
    """Patients of ours to test with, each with one to three images."""
    archive_steps: int = 300
    steps: int = 90
    """Of fine-tuning, and of training from scratch."""
    batch: int = 32
    image_size: int = 48
    """Pixels a side that the net sees."""
    normal: int = 150
    """Requests before the new machine."""
    most_drifted: int = 260
    """Requests within which the service must have called for a new model."""
    new_train: int = 150
    new_test: int = 100
    """Patients of the new machine who were labelled for the challenger."""
    split: int = 300
    """Requests that champion and challenger share."""
    after: int = 80
    """Requests after each change of the champion."""
    resamples: int = 400
    """Of the bootstrap."""
    quick: bool = False
    """Too small for models that are good for anything; all steps are gone through in any case."""


FULL = Settings()
QUICK = Settings(
    seeds=1, archive=60, train=90, test=30, archive_steps=12, steps=6, batch=16, image_size=32, normal=105,
    most_drifted=300, new_train=50, new_test=30, split=60, after=20, resamples=50, quick=True,
)  # fmt: skip
"""To see in seconds that all steps run; the models are then good for nothing."""
