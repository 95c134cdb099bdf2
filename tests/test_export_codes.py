"""Generators with a code, and BigGAN's, exported and served: any number of rows, a code that may be left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.gans", reason="needs the package that trains these nets")

from torchworks.gans.models.config import BigGANNet, InfoGANNet
from torchworks.gans.noise.predictor import build_generator, generator_config
from torchworks.serving.bundle import open_bundle
from torchworks.serving.codecs import Codec
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.errors import Refusal
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits
from torchworks.shared.models.predictor import load_predictor, save_model
from torchworks.shared.numbers.stream import sample_normal

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CODED = InfoGANNet(latent_dim=9, width=8, discriminator_width=8, categories=4)
CODE = {"category": torch.tensor([0, 3]), "number_1": torch.tensor([-2.0, 0.5]), "number_2": torch.tensor([1.0, -2.0])}
BIG = BigGANNet(latent_dim=9, embed_dim=4, width=8, discriminator_width=8, max_channels=16)


def finished(folder: Path, net, size: int, classes: tuple[str, ...], golden: dict[str, torch.Tensor]) -> Path:
    """A run with an untrained model."""
    torch.manual_seed(0)
    config = generator_config(net, size, 1, classes)
    predictor = build_generator(config)
    for name, parameter in predictor.net.named_parameters():
        if name.endswith("gamma"):
            torch.nn.init.constant_(parameter, 0.5)  # attention that counts, as after training
    save_model(
        folder, predictor, package="gans", recipe="untrained", builder="gans-generator", config=config, golden=golden
    )
    return folder


def exported(run: Path, form: Any):
    """The opened bundle, its engine, and what reads its requests."""
    settings = Export(run, format=form, seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)
    return engine, Codec(bundle.manifest, Limits())


@pytest.mark.parametrize(
    "form", [pytest.param("onnx", marks=pytest.mark.slow), pytest.param("pt2", marks=pytest.mark.long)]
)
def test_the_exported_generator_draws_the_code_that_is_asked_for_and_another_if_none_is(tmp_path, form):
    run = finished(tmp_path / "run", CODED, 16, (), {"latent": torch.randn(2, 9), **CODE})
    engine, codec = exported(run, form)
    trained = load_predictor(run)
    for rows in (1, 3):
        for given, category, number in ({}, 0, -2.0), ({"category": 2, "number_2": 0.5}, 2, 0.5):
            found = engine.run(dict(codec.from_values({"seed": 3, "n": rows, **given})))["image"]
            code = torch.full((rows,), category), torch.full((rows,), -2.0), torch.full((rows,), number)
            wanted = trained(sample_normal(3, range(rows), 9), *code)
            np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=0, atol=1e-4)
    with pytest.raises(Refusal, match="category"):
        codec.from_values({"seed": 3, "category": 5})


@pytest.mark.long
@pytest.mark.parametrize("form", ["onnx", "pt2", "safetensors"])
def test_the_exported_biggan_draws_what_the_trained_one_does(tmp_path, form):
    labels = torch.tensor([0, 2])
    run = finished(tmp_path / "run", BIG, 28, ("a", "b", "c"), {"latent": torch.randn(2, 9), "label": labels})
    engine, codec = exported(run, form)
    trained = load_predictor(run)
    for rows in (1, 3):
        found = engine.run(dict(codec.from_values({"seed": 3, "n": rows, "label": "c"})))["image"]
        wanted = trained(sample_normal(3, range(rows), 9), torch.full((rows,), 2))
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=0, atol=1e-4)
