"""Published weights through our GRU: g2p-en, which spells how English words sound.

Only the file of weights is read, `uv pip install --no-deps g2p-en` brings it; the package is never imported.
"""

from importlib.metadata import PackageNotFoundError, distribution
from string import ascii_lowercase

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from torchworks.seq_models.models.recurrent import GRU

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
OTHERS = (
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "UW", "V",
    "W", "Y", "Z", "ZH",
)  # fmt: skip
SOUNDS = ["<pad>", "<unk>", "<s>", "</s>", *sorted([*OTHERS, *(v + stress for v in VOWELS for stress in "012")])]
LETTERS = {letter: number for number, letter in enumerate(ascii_lowercase, 3)}
WORD_END, BEGIN, END, MOST = 2, 2, 3, 20
WORDS = {
    "hello": "HH EH1 L OW0",
    "cat": "K AE1 T",
    "neural": "N UH1 R AH0 L",
    "translation": "T R AE0 N S L EY1 SH AH0 N",
    "activationist": "AE2 K T IH0 V EY1 SH AH0 N IH0 S T",
}
Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    try:
        path = distribution("g2p-en").locate_file("g2p_en/checkpoint20.npz")
    except PackageNotFoundError:
        pytest.skip("the weights of g2p-en are not installed: uv pip install --no-deps g2p-en")
    with np.load(str(path), allow_pickle=False) as file:
        return dict(file)


def gru(arrays: Arrays, part: str) -> GRU:
    """Our GRU with the weights of the encoder "enc" or the decoder "dec"."""
    net = GRU(256, 256, batch_first=True)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    keys = {name: f"{part}_{name.replace('weight', 'w').replace('bias', 'b')}" for name in names}
    net.load_state_dict({f"{name}_l0": torch.from_numpy(arrays[key]) for name, key in keys.items()}, strict=True)
    return net.eval()


def letters(word: str) -> list[int]:
    return [*(LETTERS[letter] for letter in word), WORD_END]


@torch.no_grad()
def by_our_gru(arrays: Arrays, word: str) -> tuple[list[str], np.ndarray]:
    """The sounds of a word, and the state after its letters."""
    encoder, decoder = gru(arrays, "enc"), gru(arrays, "dec")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    _, h = encoder(tensors["enc_emb"][letters(word)][None])
    read, sounds, last = h, [], BEGIN
    while len(sounds) < MOST:
        output, h = decoder(tensors["dec_emb"][last][None, None], h)
        last = int((output[0, 0] @ tensors["fc_w"].T + tensors["fc_b"]).argmax())
        if last == END:
            break
        sounds.append(SOUNDS[last])
    return sounds, read[0, 0].numpy()


def moment(x: np.ndarray, h: np.ndarray, arrays: Arrays, part: str) -> np.ndarray:
    """Cho et al. 2014, equations 5 to 8, with r after the product."""
    w_r, w_z, w_n = np.split(arrays[f"{part}_w_ih"] @ x + arrays[f"{part}_b_ih"], 3)
    u_r, u_z, u_n = np.split(arrays[f"{part}_w_hh"] @ h + arrays[f"{part}_b_hh"], 3)
    r, z = 1 / (1 + np.exp(-(w_r + u_r))), 1 / (1 + np.exp(-(w_z + u_z)))
    return (1 - z) * np.tanh(w_n + r * u_n) + z * h


def by_numpy(arrays: Arrays, word: str) -> tuple[list[str], np.ndarray]:
    h = np.zeros(256, np.float32)
    for letter in letters(word):
        h = moment(arrays["enc_emb"][letter], h, arrays, "enc")
    read, sounds, last = h, [], BEGIN
    while len(sounds) < MOST:
        h = moment(arrays["dec_emb"][last], h, arrays, "dec")
        last = int((arrays["fc_w"] @ h + arrays["fc_b"]).argmax())
        if last == END:
            break
        sounds.append(SOUNDS[last])
    return sounds, read


@pytest.mark.parametrize("word", WORDS)
def test_published_weights_give_the_sounds_and_states_of_the_equations(arrays: Arrays, word: str):
    sounds, state = by_our_gru(arrays, word)
    expected, wanted = by_numpy(arrays, word)
    assert sounds == expected
    np.testing.assert_allclose(state, wanted, rtol=0, atol=1e-5)
    assert " ".join(sounds) == WORDS[word]
