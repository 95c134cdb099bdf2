"""Log-mel spectrograms changed in training: tempo, vocal tract, microphone, noise, hidden bands and stretches.

Every draw is as large as the batch has rows, whatever its sounds are padded to, so that the numbers of a row do not
depend on the others.

Shape letters: N sounds, T frames, M mel channels.
"""

import torch
from torch import Tensor

from torchworks.seq_models.models.ctc_recognizer import real_frames
from torchworks.seq_models.recognition.config import AugmentConfig
from torchworks.shared.numbers.stream import StepRandom

CURVES = 4
"""Cosines that a microphone's curve is made of."""
LEAST = 4
"""Frames that a sound keeps, however much faster it becomes."""


def augmented(mel: Tensor, frames: Tensor, random: StepRandom, config: AugmentConfig) -> tuple[Tensor, Tensor]:
    """(N, T, M) and (N,) → the same, changed; T may differ."""
    rows = len(mel)
    if config.tempo:
        rate = 1 + config.tempo * (2 * random.uniform(rows) - 1)
        mel, frames = in_tempo(mel, frames, rate)
    if config.warp:
        mel = warped(mel, 1 + config.warp * (2 * random.uniform(rows) - 1))
    if config.channel:
        mel = mel + config.channel * _curve(random.normal(rows, CURVES), mel.shape[2])
    if config.noise:
        mel = _with_noise(mel, frames, random, config.noise)
    return _hidden(mel, frames, random, config), frames


def in_tempo(mel: Tensor, frames: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    """`rate` (N,) times as fast, by linear interpolation."""
    new = (frames / rate).round().long().clamp_min(LEAST)
    places = torch.arange(int(new.max()), device=mel.device) * rate[:, None]  # (N, T')
    places = torch.minimum(places, (frames[:, None] - 1).to(places.dtype)).clamp_min(0)
    return _between(mel, places[:, :, None].expand(-1, -1, mel.shape[2]), 1), new


def warped(mel: Tensor, factor: Tensor) -> Tensor:
    """What was in mel channel m · `factor` (N,) comes into channel m."""
    size = mel.shape[2]
    places = (torch.arange(size, device=mel.device) * factor[:, None]).clamp_max(size - 1)
    return _between(mel, places[:, None].expand(-1, mel.shape[1], -1), 2)


def _between(values: Tensor, places: Tensor, dim: int) -> Tensor:
    """Values at `places`, which lie between whole ones, along `dim`."""
    low = places.floor().long()
    high = (low + 1).clamp_max(values.shape[dim] - 1)
    share = (places - low).to(values.dtype)
    return values.gather(dim, low) * (1 - share) + values.gather(dim, high) * share


def _curve(weights: Tensor, size: int) -> Tensor:
    """Sums of cosines over the mel channels, (N, 1, M)."""
    places = (torch.arange(size, device=weights.device) + 0.5) / size
    waves = torch.cos(torch.pi * torch.arange(1, weights.shape[1] + 1, device=weights.device)[:, None] * places)
    falling = weights / torch.arange(1, weights.shape[1] + 1, device=weights.device)
    return (falling @ waves)[:, None]


def _with_noise(mel: Tensor, frames: Tensor, random: StepRandom, share: float) -> Tensor:
    """Some rows get a floor of steady noise of a random colour, 1 to 6 nepers below their loudest frames."""
    rows = len(mel)
    chosen, level = random.uniform(rows) < share, 1 + 5 * random.uniform(rows)
    colour = _curve(random.normal(rows, CURVES), mel.shape[2])
    real = real_frames(frames, mel.shape[1])[:, :, None]
    loudest = mel.masked_fill(~real, -torch.inf).amax((1, 2), keepdim=True)
    floor = loudest - 2.0 - level[:, None, None] * 1.5 + colour
    return torch.where(chosen[:, None, None], torch.logaddexp(mel, floor.expand_as(mel)), mel)


def _hidden(mel: Tensor, frames: Tensor, random: StepRandom, config: AugmentConfig) -> Tensor:
    """Bands and stretches become the mean over time, which normalisation makes 0."""
    if not config.masks:
        return mel
    rows, size = len(mel), mel.shape[2]
    real = real_frames(frames, mel.shape[1])
    mean = (mel * real[:, :, None]).sum(1, keepdim=True) / frames[:, None, None].clamp_min(1)
    hidden = torch.zeros_like(mel, dtype=torch.bool)
    channels = torch.arange(size, device=mel.device)
    times = torch.arange(mel.shape[1], device=mel.device)
    for _ in range(config.masks):
        place, width, start, length = random.uniform(rows, 4).unbind(1)
        first, wide = place * size, width * (config.band + 1)
        band = (channels >= first[:, None].floor()) & (channels < (first + wide)[:, None].floor())
        begin, long = start * frames, length * config.stretch * frames
        stretch = (times >= begin[:, None].floor()) & (times < (begin + long)[:, None].floor())
        hidden = hidden | band[:, None] | stretch[:, :, None]
    return torch.where(hidden, mean, mel)
