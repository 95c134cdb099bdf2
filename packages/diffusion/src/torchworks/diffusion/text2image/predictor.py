"""A trained model as it is used: noise and a caption to an image.

A service makes tokens of a text by the tokenizer that is kept with the model; the model itself takes tokens. The
builder is an entry point in the group `torchworks.builders`.

Shape letters: N images, C channels, S pixels along a side, T tokens of a caption.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.diffusion.models.config import ConditionalUNetConfig, TextEncoderConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.drawing import draw
from torchworks.diffusion.process.served import denoising_spec, served_sampler
from torchworks.diffusion.text2image.config import Text2ImageConfig
from torchworks.diffusion.text2image.net import CaptionedUNet, denoiser
from torchworks.diffusion.text2image.tokens import TOKENIZER, check_prompt
from torchworks.shared.config import UserError, from_dict
from torchworks.shared.data.tokenized import padded
from torchworks.shared.models.denoising import Condition
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec, read_files
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.opening import CHUNK, FinishedRun, open_run
from torchworks.shared.text import Words, from_json


class Text2ImagePredictor(Predictor):
    """latent (N, C·S·S), text (N, T) → image (N, C, S, S) in [0, 1], by the sampler of the configuration."""

    net: CaptionedUNet

    def __init__(
        self,
        net: CaptionedUNet,
        signature: Signature,
        process: ProcessConfig,
        sampling: SamplingConfig,
        shape: Sequence[int],
    ):
        super().__init__(net, signature)
        self.process, self.sampling, self.shape = process, sampling, tuple(shape)

    def forward(self, *inputs: Tensor) -> Tensor:
        latent, text = inputs
        sampling = dataclasses.replace(self.sampling, sampler=served_sampler(self.sampling))
        denoise = denoiser(self.net, text, self.process, sampling)
        drawn = draw(denoise, latent.unflatten(1, self.shape), self.process, sampling)
        return self.images_of(drawn).clamp(-1, 1) / 2 + 0.5

    def images_of(self, drawn: Tensor) -> Tensor:
        """What was drawn, as images (N, C, S, S), about in [-1, 1]."""
        return drawn


def predictor_config(config: Text2ImageConfig, shape: Sequence[int], length: int) -> dict[str, Any]:
    """What `build_text2image` needs, as plain data."""
    return {
        "text": asdict(config.text),
        "net": asdict(config.net),
        "process": asdict(config.process),
        "sampling": asdict(config.sampling),
        "shape": list(shape),
        "length": length,
    }


def build_text2image(config: dict[str, Any], files: Mapping[str, bytes]) -> Text2ImagePredictor:
    """The predictor of a model that draws captions, from the `config` in `model.json` and the tokenizer in `files`;
    builder "diffusion-text2image"."""
    shape, length, vocabulary = tuple(config["shape"]), config["length"], len(from_json(files[TOKENIZER]))
    process, sampling = from_dict(ProcessConfig, config["process"]), from_dict(SamplingConfig, config["sampling"])
    text, net = from_dict(TextEncoderConfig, config["text"]), from_dict(ConditionalUNetConfig, config["net"])
    channels, size, _ = shape
    latent = TensorSpec("latent", "latent", "float32", ("N", channels * size * size))
    tokens = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1, pad=0)
    image = TensorSpec("image", "image", "float32", ("N", *shape), low=0.0, high=1.0)
    signature = Signature((latent, tokens), (image,), most={"T": length})
    module = CaptionedUNet(text, net, vocabulary=vocabulary, length=length, channels=channels, image_size=size)
    predictor = Text2ImagePredictor(module, signature, process, sampling, shape)
    predictor.denoising = denoising_spec(process, sampling, shape, Condition("text", nothing=0))  # padding alone
    return predictor


class PromptDrawer:
    """Draws what prompts say with a finished run's model, by any sampler, grid, number of steps and guidance."""

    def __init__(self, run: FinishedRun, sampling: SamplingConfig | None = None):
        assert isinstance(run.predictor, Text2ImagePredictor)
        self.run, self.predictor = run, run.predictor
        self.sampling = sampling or run.predictor.sampling
        tokenizer = from_json(read_files(run.folder)[TOKENIZER])
        assert isinstance(tokenizer, Words)
        self.tokenizer = tokenizer

    def with_sampling(self, sampling: SamplingConfig) -> "PromptDrawer":
        """The same model, drawing otherwise."""
        return PromptDrawer(self.run, sampling)

    def check(self, prompts: Sequence[str]) -> None:
        """Raise `UserError` for prompts that the model cannot read."""
        for prompt in dict.fromkeys(prompts):
            check_prompt(prompt, self.tokenizer, self.predictor.net.length)

    @torch.no_grad()
    def draw(
        self,
        seed: int,
        indices: range,
        prompts: Sequence[str],
        *,
        callback: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> Tensor:
        """Images in [-1, 1], (N, C, S, S), on the CPU, of a prompt each. Image i depends on `seed`, indices[i] and
        prompts[i] alone. With a `callback`, all are computed in one batch. Unknown words of a prompt are read as such
        (see `check`)."""
        chunk = len(indices) if callback else CHUNK
        parts = [
            self._part(seed, indices[start : start + chunk], prompts[start : start + chunk], chunk, callback)
            for start in range(0, len(indices), chunk)
        ]
        return torch.cat(parts)

    def _part(self, seed: int, rows: range, prompts: Sequence[str], chunk: int, callback: Any) -> Tensor:
        """`rows` in a batch of `chunk`, the last row as often as it takes: nets compute a row differently, in the last
        bit, among more or fewer others."""
        more = chunk - len(rows)
        padded_rows, shape, device = [*rows, *[rows[-1]] * more], self.predictor.shape, self.run.device
        tokens = padded([*prompts, *[prompts[-1]] * more], self.tokenizer, self.predictor.net.length).to(device)

        def noise(step: int) -> Tensor:
            return sample_normal(seed, padded_rows, step + 2, *shape)[:, -1].to(device)

        process = self.predictor.process
        denoise = denoiser(self.predictor.net, tokens, process, self.sampling)
        first = sample_normal(seed, padded_rows, *shape).to(device)
        drawn = draw(denoise, first, process, self.sampling, step_noise=noise, callback=callback)
        return drawn[: len(rows)].clamp(-1, 1).cpu()


def open_prompt_drawer(folder: Path, device: str = "auto") -> PromptDrawer:
    """Raises `UserError` unless `folder` is a finished run of a recipe that draws captions."""
    run = open_run(folder, "diffusion", device)
    if not isinstance(run.predictor, Text2ImagePredictor):
        raise UserError(f"{folder} is a run of {run.config.recipe}, which knows no captions. Leave out --prompt.")
    return PromptDrawer(run)
