"""A generator with styles, exported and served: any number of rows, truncation that may be left out."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.gans", reason="needs the package that trains these nets")

from torchworks.gans.models.config import StyleGAN2Net
from torchworks.gans.noise.predictor import CROSSOVER, FINE, TRUNCATION, build_generator, generator_config
from torchworks.serving.bundle import open_bundle
from torchworks.serving.codecs import Codec
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits
from torchworks.shared.models.predictor import load_predictor, save_model
from torchworks.shared.numbers.stream import sample_normal

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def finished(folder: Path) -> Path:
    """A run with an untrained model whose noise counts and whose mean of w is not 0."""
    torch.manual_seed(0)
    config = generator_config(StyleGAN2Net(latent_dim=8, style_dim=8, width=8, max_channels=16), 16, 1, ())
    predictor = build_generator(config)
    for layer in predictor.net.synthesis.layers:
        torch.nn.init.constant_(layer.strength, 0.3)
    predictor.net.mapping.mean.normal_()
    save_model(
        folder, predictor, package="gans", recipe="stylegan2", builder="gans-generator", config=config,
        golden={
            "latent": torch.randn(2, 8), TRUNCATION: torch.tensor([1.0, 0.5]), FINE: torch.randn(2, 8),
            CROSSOVER: torch.tensor([1, 6]),
        },
    )  # fmt: skip
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_the_exported_generator_draws_what_the_trained_one_does(tmp_path, form):
    run = finished(tmp_path / "run")
    settings = Export(run, format=form, seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)

    trained, codec = load_predictor(run), Codec(bundle.manifest, Limits())
    for rows in (1, 3):
        for given, psi, cut in (
            ({}, 1.0, 6),
            ({TRUNCATION: 0.4}, 0.4, 6),
            ({"fine_seed": 5}, 1.0, 3),
            ({"fine_seed": 5, CROSSOVER: 1, TRUNCATION: 0.4}, 0.4, 1),
        ):
            inputs = codec.from_values({"seed": 3, "n": rows, **given})
            found = engine.run(dict(inputs))["image"]
            latent, fine = (sample_normal(seed, range(rows), 8) for seed in (3, 5))
            wanted = trained(latent, torch.full((rows,), psi), fine, torch.full((rows,), cut))
            np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=0, atol=1e-4)
