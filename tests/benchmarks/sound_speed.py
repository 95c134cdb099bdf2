"""Log-mel spectrograms beside torchaudio's, recognition beside nets of speechbrain and transformers, and the speaker.

That both spectrograms are equal is checked before anything is timed. Recognisers have new weights, about as many each,
hear the same sounds of 8 kHz, and go all the way from samples to texts, by the likeliest letter of each frame. Ours is
its predictor. speechbrain's CRDNN is of its kind (convolutions, GRUs in both directions) and gets torchaudio's
spectrogram, and so does transformers' Conformer, Parakeet; wav2vec 2.0 reads the samples, which at 8 kHz are half of
what it is made for. All have a frame each 40 ms. Texts are made by our function, which does less than their tokenizers.
"""

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torchaudio
import transformers
from race import Times, in_turns
from report import Target, quiet, spread, table_of
from rich.console import Console
from torch import Tensor, nn

from torchworks.seq_models.recognition.build import LETTERS
from torchworks.seq_models.recognition.decoding import greedy
from torchworks.seq_models.recognition.predictor import RecognizerPredictor, build_recognizer
from torchworks.seq_models.recognition.recipes import recognise
from torchworks.seq_models.sound.mel import LogMel, MelConfig
from torchworks.seq_models.sound.speaker import say
from torchworks.seq_models.sound.voice import random_voice
from torchworks.shared.machine.device import keep_memory

OURS, TORCHAUDIO = "ours", "torchaudio"
CRDNN, WAV2VEC2, PARAKEET = "speechbrain, CRDNN", "transformers, wav2vec 2.0", "transformers, Parakeet"
KIND = "processor"
QUICKER, LEAST_SPEECH = 1.5, 60
"""How many times as fast as other recognisers, and how many seconds of speech a second, we mean to be at least."""
SECONDS, ROWS = 3, (1, 16)
FRONTS = {
    "16 kHz, 80 channels": MelConfig(),
    "8 kHz, 40 channels": MelConfig(rate=8_000, n_fft=256, window=200, hop=80, num_mels=40, low=60.0, high=3_920.0),
}
Actions = dict[str, Callable[[], object]]


# ---- log-mel ----------------------------------------------------------------------------------------------------


def torchaudio_mel(config: MelConfig) -> Callable[[Tensor], Tensor]:
    """Its log-mel spectrogram by the same settings."""
    mel = torchaudio.transforms.MelSpectrogram(
        config.rate, config.n_fft, config.window, config.hop, config.low, config.high, n_mels=config.num_mels,
        power=config.power, norm="slaney" if config.scale == "slaney" else None, mel_scale=config.scale,
        pad_mode="constant",
    )  # fmt: skip
    return lambda samples: (mel(samples) + config.floor).log()


def mels(config: MelConfig, rows: int, *, backward: bool = False) -> Actions:
    """Ten passes of each. Raises `AssertionError` if they differ."""
    samples = torch.rand(rows, SECONDS * config.rate, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made: dict[str, Callable[[Tensor], Tensor]] = {OURS: LogMel(config), TORCHAUDIO: torchaudio_mel(config)}
    ours, theirs = (front(samples) for front in made.values())
    assert ours.shape == theirs.shape, f"{tuple(ours.shape)} and {tuple(theirs.shape)}"
    assert float((ours - theirs).abs().max()) < 1e-3, "the spectrograms differ"

    def run(front: Callable[[Tensor], Tensor]) -> None:
        for _ in range(10):
            with torch.set_grad_enabled(backward):
                found = front(samples.detach().requires_grad_(backward))
            if backward:
                found.sum().backward()

    return {name: lambda front=front: run(front) for name, front in made.items()}


# ---- recognition ------------------------------------------------------------------------------------------------


def our_recognizer() -> RecognizerPredictor:
    """The net of the recipe recognise, with new weights."""
    config = recognise()
    torch.manual_seed(0)
    made = {"alphabet": list(LETTERS), "rate": config.loader.rate, "front": dataclasses.asdict(config.front),
            "net": dataclasses.asdict(config.net)}  # fmt: skip
    predictor = build_recognizer(made)
    predictor.eval()
    return predictor


def crdnn() -> nn.Module:
    lobes, layers = (importlib.import_module(f"speechbrain.{name}") for name in ("lobes.models.CRDNN", "nnet.RNN"))
    body = lobes.CRDNN(
        input_shape=(None, None, recognise().front.num_mels), cnn_channels=[32, 64], time_pooling=True,
        time_pooling_size=4, rnn_class=layers.GRU, rnn_layers=2, rnn_neurons=64, rnn_bidirectional=True, dnn_blocks=1,
        dnn_neurons=128,
    )  # fmt: skip
    return nn.Sequential(body, nn.Linear(128, len(LETTERS) + 1)).eval()


def wav2vec2() -> nn.Module:
    config = transformers.Wav2Vec2Config(
        vocab_size=len(LETTERS) + 1, hidden_size=96, num_hidden_layers=3, num_attention_heads=4, intermediate_size=320,
        conv_dim=(64,) * 7, num_conv_pos_embeddings=64, num_conv_pos_embedding_groups=8,
    )  # fmt: skip
    return transformers.Wav2Vec2ForCTC(config).eval()


def parakeet() -> nn.Module:
    encoder = {
        "hidden_size": 72, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 216,
        "subsampling_conv_channels": 32, "num_mel_bins": recognise().front.num_mels, "subsampling_factor": 4,
    }  # fmt: skip
    config = transformers.ParakeetCTCConfig(vocab_size=len(LETTERS) + 1, encoder_config=encoder)
    return transformers.ParakeetForCTC(config).eval()


def recognizers() -> tuple[dict[str, Callable[[Tensor], list[str]]], dict[str, int]]:
    """Functions from sounds (N, L) to texts, and the weights of each net."""
    predictor, recurrent, wave, conformer = our_recognizer(), crdnn(), wav2vec2(), parakeet()
    front = torchaudio_mel(predictor.mel.config)

    def by_ours(audio: Tensor) -> list[str]:
        found = predictor(audio, torch.full((len(audio),), audio.shape[1]))
        letters, count = found[2].tolist(), found[3].tolist()
        return ["".join(LETTERS[i - 1] for i in row[:n]) for row, n in zip(letters, count, strict=True)]

    def normalized(audio: Tensor) -> Tensor:
        mel = front(audio).transpose(1, 2)
        return (mel - mel.mean(1, keepdim=True)) / (mel.std(1, keepdim=True) + 1e-5)

    functions = {
        OURS: by_ours,
        CRDNN: lambda audio: texts(recurrent(normalized(audio))),
        WAV2VEC2: lambda audio: texts(wave(audio).logits),
        PARAKEET: lambda audio: texts(conformer(input_features=normalized(audio)).logits),
    }
    nets = {OURS: predictor.net, CRDNN: recurrent, WAV2VEC2: wave, PARAKEET: conformer}
    return functions, {name: sum(each.numel() for each in net.parameters()) for name, net in nets.items()}


def texts(logits: Tensor) -> list[str]:
    return greedy(logits, torch.full((len(logits),), logits.shape[1]), LETTERS)


def digits(seconds: float, rate: int) -> Tensor:
    """A spoken sound (L,)."""
    spoken = say("one two three four five six seven eight nine", seed=0, rate=rate).samples
    return torch.from_numpy(np.resize(spoken, round(seconds * rate)))


# ---- tables -----------------------------------------------------------------------------------------------------


def measured(console: Console, *, rounds: int) -> dict[str, Any]:
    """Tables of all, by name."""
    keep_memory()  # as training and the commands do
    return {
        "log_mel": dict(log_mels(console, rounds)),
        "recognition": recognition(console, rounds),
        "speaker": speaking(console, rounds),
    }


def log_mels(console: Console, rounds: int) -> Iterator[tuple[str, dict[str, Times]]]:
    for name, config in FRONTS.items():
        for rows in ROWS:
            for backward in (False, True):
                title = f"log-mel, {name}, {rows} × {SECONDS} s, forward{' + backward' if backward else ''}"
                times = in_turns(mels(config, rows, backward=backward), rounds=rounds)
                table = table_of(f"{title}: milliseconds of CPU time, ten times", "time, torchaudio = 1", what="front")
                for which, each in times.items():
                    row = (f"{1000 * value:.1f}" for value in spread(each, KIND))
                    table.add_row(which, *row, f"{each.ratio(times[TORCHAUDIO], KIND):.2f}")
                console.print(table)
                yield title, times


@torch.no_grad()
def recognition(console: Console, rounds: int) -> dict[str, Any]:
    with quiet():
        functions, weights = recognizers()
    rate, found = recognise().loader.rate, {}
    for rows in ROWS:
        audio = digits(SECONDS, rate).repeat(rows, 1)
        times = in_turns(
            {name: lambda run=run, audio=audio: run(audio) for name, run in functions.items()}, rounds=rounds
        )
        title = f"recognition, {rows} × {SECONDS} s"
        table = table_of(
            f"{title}: milliseconds of CPU time", "real-time factor", "time, ours = 1", what="net, weights"
        )
        for name, each in times.items():
            values = spread(each, KIND)
            factor = values[2] / (rows * SECONDS)
            row = (f"{1000 * value:.1f}" for value in values)
            table.add_row(f"{name}, {weights[name]:,}", *row, f"{factor:.4f}", f"{each.ratio(times[OURS], KIND):.2f}")
        console.print(table)
        found[title] = times
    return {"weights": weights, "seconds": SECONDS, "times": found}


def speaking(console: Console, rounds: int) -> dict[str, Any]:
    """Seconds of sound that are spoken in a second, a voice after the other."""
    random = np.random.default_rng(0)
    voices = [random_voice(random) for _ in range(4)]

    def speak() -> float:
        spoken = (say("seven one nine three five", voice, seed=i) for i, voice in enumerate(voices))
        return sum(len(each.samples) / each.rate for each in spoken)

    seconds = speak()
    times = in_turns({OURS: speak}, rounds=rounds)
    table = table_of("the speaker, 16 kHz: seconds of sound per second of CPU time", what="speaker")
    table.add_row(OURS, *(f"{seconds / value:.0f}" for value in spread(times[OURS], KIND)))
    console.print(table)
    return {"seconds": seconds, "times": times}


def targets(found: dict[str, Any]) -> list[Target]:
    made = []
    for name, times in found["log_mel"].items():
        if "backward" not in name:
            speed = times[TORCHAUDIO].ratio(times[OURS], KIND)
            made.append(Target(f"{name}: at least as fast as torchaudio", f"{speed:.2f} ×", speed >= 1))
    for name, times in found["recognition"]["times"].items():
        for peer in [each for each in times if each != OURS]:
            speed = times[peer].ratio(times[OURS], KIND)
            made.append(Target(f"{name}: at least {QUICKER} × {peer}", f"{speed:.2f} ×", speed >= QUICKER))
    speaker = found["speaker"]
    rate = speaker["seconds"] / sorted(speaker["times"][OURS].processor)[len(speaker["times"][OURS].processor) // 2]
    made.append(
        Target(f"the speaker: at least {LEAST_SPEECH} s of sound a second", f"{rate:.0f}", rate >= LEAST_SPEECH)
    )
    return made
