"""The doctor names what is wrong with a training once, with the remedy, and nothing of one that goes well."""

import pytest

from torchworks.diffusion import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.doctor import Doctor

WELL = {"eval/loss": 0.15, "eval/out_of_range": 0.001, "eval/precision": 0.88, "eval/recall": 0.85}


def doctor(process: ProcessConfig | None = None, guidance: float = 1.25, **more) -> Doctor:
    made = Doctor(process or ProcessConfig(), SamplingConfig(guidance=guidance), conditional=True, **more)
    assert made.diagnose(20, {"train/loss": 0.16}) is None or made.process.prediction == "edm"
    return made


def test_a_training_that_goes_well_hears_nothing():
    assert doctor().diagnose(100, WELL) is None


@pytest.mark.parametrize(
    ("changed", "guidance", "words"),
    [
        ({"eval/loss": 0.9}, 1.25, ("averaged weights", "--trainer.ema")),
        ({"eval/out_of_range": 0.3}, 4.0, ("30% of the drawn values", "--sampling.guidance")),
        ({"eval/out_of_range": 0.3}, 1.0, ("30% of the drawn values", "--optim.lr")),
        ({"eval/recall": 0.3}, 3.0, ("differ too little", "--sampling.guidance")),
    ],
)
def test_it_names_the_cause_once_with_the_remedy(changed, guidance, words):
    made = doctor(guidance=guidance)
    found = made.diagnose(100, WELL | changed)
    assert found is not None
    assert all(word in found.cause for word in words)
    assert made.diagnose(200, WELL | changed) is None


def test_without_guidance_little_variety_is_not_its_fault():
    assert doctor(guidance=1.0).diagnose(100, WELL | {"eval/recall": 0.3}) is None


def test_images_of_another_size_than_edm_assumes_are_named():
    made = doctor(ProcessConfig(path="variance-exploding", prediction="edm"), deviation=0.75)
    assert made.named == ["scale"]
    assert doctor(ProcessConfig(path="variance-exploding", prediction="edm"), deviation=0.52).named == []
