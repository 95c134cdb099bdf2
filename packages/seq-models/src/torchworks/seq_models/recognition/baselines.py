"""What a recogniser is compared with: its own beam search with a language model, the likeliest transcript, and, of
sounds of one word, templates by dynamic time warping.

Shape letters: K templates, T frames, M coefficients.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dct
from torch import nn

from torchworks.seq_models.data.utterances import Utterance
from torchworks.seq_models.recognition.decoding import beam_search
from torchworks.seq_models.recognition.language import LetterModel
from torchworks.seq_models.recognition.metrics import scores
from torchworks.seq_models.sound.mel import LogMel, MelConfig
from torchworks.shared.data import TensorDataset

TEMPLATES = 4
"""Of each word."""
MOST_WORDS, MOST_COMPARED = 60, 200
COEFFICIENTS = 13


def baselines(
    net: nn.Module, prepared: TensorDataset, language: LetterModel, train: Sequence[Utterance],
    test: Sequence[Utterance], rate: int, seed: int,
) -> dict[str, float]:  # fmt: skip
    """`beam_wer`: the net with beam search; `common_wer`: always the commonest transcript of training; `dtw_wer` and
    `single_wer`: templates, and the net, on the test sounds of one word."""
    found = by_beam(net, prepared, language)
    right = ["".join(language.alphabet[k - 1] for k in prepared[i]["letters"].tolist()) for i in range(len(prepared))]
    texts = [item.text for item in train]
    common = max(sorted(set(texts)), key=texts.count)
    values = {"beam_wer": scores(found, right)["wer"], "common_wer": scores([common] * len(right), right)["wer"]}
    single = [(a, b) for a, b in zip(found, right, strict=True) if " " not in b]
    if single:
        values["single_wer"] = scores([a for a, _ in single], [b for _, b in single])["wer"]
    told = dtw_words(train, test, rate, seed)
    if told is not None:
        values["dtw_wer"] = told
    return values


@torch.no_grad()
def by_beam(net: nn.Module, prepared: TensorDataset, language: LetterModel) -> list[str]:
    """What the sounds are recognised as by beam search."""
    net.eval()
    device = next(net.parameters()).device
    texts = []
    for rows in torch.arange(len(prepared)).split(64):
        part = prepared.subset(rows)
        longest = int(part.tensors["mel_length"].max())
        mel, frames = part.tensors["mel"][:, :longest].to(device), part.tensors["mel_length"].to(device)
        found, frames = net(mel, frames)
        for row, count in zip(found.float().cpu().numpy(), frames.tolist(), strict=True):
            ids = beam_search(row[:count], language=language)
            texts.append("".join(language.alphabet[i - 1] for i in ids).strip())
    return texts


# ---- dynamic time warping ----------------------------------------------------------------------------------


def dtw_words(train: Sequence[Utterance], test: Sequence[Utterance], rate: int, seed: int) -> float | None:
    """The error rate of the nearest template, among a few training sounds of each single word, on test sounds of one
    word. None where there are none, or very many words."""
    words = sorted({item.text for item in train if " " not in item.text})
    asked = [item for item in test if " " not in item.text][:MOST_COMPARED]
    if not asked or not 2 <= len(words) <= MOST_WORDS:
        return None
    random = np.random.default_rng(seed)
    templates, names = [], []
    for word in words:
        items = [item for item in train if item.text == word]
        for i in random.permutation(len(items))[:TEMPLATES]:
            templates.append(cepstra(items[int(i)], rate))
            names.append(word)
    wrong = sum(names[int(distances(cepstra(item, rate), templates).argmin())] != item.text for item in asked)
    return wrong / len(asked)


def cepstra(item: Utterance, rate: int) -> NDArray[np.float64]:
    """(T, 2M): the cosine transform of a log-mel spectrogram less its mean, and its change over time."""
    window = round(0.025 * rate)
    config = MelConfig(
        rate=rate, n_fft=1 << (window - 1).bit_length(), window=window, hop=round(0.015 * rate), num_mels=26, low=80.0
    )
    mel = LogMel(config)(torch.from_numpy(item.audio)[None])[0].T.double().numpy()
    still = dct(mel, axis=1, norm="ortho")[:, 1 : COEFFICIENTS + 1]
    still = (still - still.mean(0)) / (still.std(0) + 1e-3)
    return np.concatenate((still, 2 * np.gradient(still, axis=0) if len(still) > 1 else 0 * still), 1)


def distances(asked: NDArray[np.float64], templates: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(K,): the cost of the cheapest way through both (Sakoe and Chiba 1978, symmetric, a diagonal step counts twice)
    over the sum of their lengths. Frame by frame of `asked`, for all templates at once."""
    sizes = np.array([len(each) for each in templates])
    stacked = np.zeros((len(templates), sizes.max(), asked.shape[1]))
    for place, each in zip(stacked, templates, strict=True):
        place[: len(each)] = each
    costs = np.sqrt(np.maximum(_squares(asked, stacked), 0))  # (K, T, T')
    best = np.full((len(templates), stacked.shape[1]), np.inf)
    for t in range(len(asked)):
        here = costs[:, t]
        if t == 0:
            best = np.cumsum(here, 1) + here[:, :1]
            continue
        new = np.empty_like(best)
        before = best[:, 0] + here[:, 0]
        new[:, 0] = before
        skipped = np.minimum(best[:, 1:] + here[:, 1:], best[:, :-1] + 2 * here[:, 1:])
        for j in range(1, best.shape[1]):
            before = np.minimum(skipped[:, j - 1], before + here[:, j])
            new[:, j] = before
        best = new
    return best[np.arange(len(templates)), sizes - 1] / (sizes + len(asked))


def _squares(asked: NDArray[np.float64], stacked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances (K, T, T')."""
    cross = np.einsum("tm,kjm->ktj", asked, stacked)
    return (asked**2).sum(1)[None, :, None] + (stacked**2).sum(2)[:, None] - 2 * cross
