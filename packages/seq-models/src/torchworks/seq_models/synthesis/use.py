"""The commands `speak`, `loop` and `evaluate`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from torchworks.seq_models.data.spoken_text import NAMES, SYMBOLS, numbers_of, sentences, spoken, symbols_of
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.synthesis.commands import Loop, Speak
from torchworks.seq_models.synthesis.config import SpeakConfig
from torchworks.seq_models.synthesis.judge import Listener, can_listen, error_rate, is_digits, words_of
from torchworks.seq_models.synthesis.net import FASTSPEECH, SpeechNet
from torchworks.seq_models.synthesis.plots import Column, draw_speech
from torchworks.seq_models.synthesis.predictor import BUILDER
from torchworks.seq_models.synthesis.saying import SEMITONES, SPEEDS, Said, say_phonemes
from torchworks.seq_models.synthesis.spectrogram import HOP, RATE, MelToSound, log_mels, sounds_of
from torchworks.seq_models.synthesis.vocoder_predictor import BUILDER as VOCODER
from torchworks.seq_models.synthesis.vocoder_predictor import Vocoder
from torchworks.shared.config import UserError
from torchworks.shared.data.sounds import wav_bytes
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file

MOST_PHONEMES = 400
HEARD = 50
Hear = Callable[[np.ndarray], list[str]]


@dataclass(frozen=True)
class Speaker:
    """A finished run, opened for use."""

    run: FinishedRun
    speakers: int

    @property
    def net(self) -> SpeechNet:
        return cast(SpeechNet, self.run.predictor.net)

    @property
    def config(self) -> SpeakConfig:
        return cast(SpeakConfig, self.run.config)

    def vocoder(self, folder: Path | None, device: str) -> nn.Module:
        """Griffin-Lim, or the vocoder of the run `folder`. Raises `UserError` for a run of another kind."""
        if folder is None:
            return MelToSound(self.config.iterations)
        return open_vocoder(folder, device)

    def say(
        self,
        rows: Sequence[Sequence[int]],
        *,
        voices: Sequence[int] | None = None,
        speed: float = 1.0,
        pitch: float = 0.0,
    ) -> list[Said]:
        given = [torch.tensor(row) for row in rows]
        return say_phonemes(self.net, given, speakers=voices, speed=speed, semitones=pitch)


def open_speaker(folder: Path, device: str) -> Speaker:
    """Raises `UserError` for a run of another kind, and for weights that are not numbers."""
    run = open_run(folder, "seq-models", device)
    if (manifest := read_manifest(folder)).builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, which does not speak. Name a run of speak or "
            "speak-tacotron."
        )
    if not all(bool(value.isfinite().all()) for value in run.predictor.net.state_dict().values()):
        raise UserError(
            f"The weights of {folder} are not all numbers (NaN or infinity among them), so the model can say nothing. "
            "Its training has failed; train again."
        )
    return Speaker(run, manifest.config["speakers"])


def open_vocoder(folder: Path, device: str) -> Vocoder:
    """Raises `UserError` for a run of another kind."""
    run = open_run(folder, "seq-models", device)
    if read_manifest(folder).builder != VOCODER:
        raise UserError(
            f"--vocoder {folder} is a run of the recipe {run.config.recipe}, which makes no sound of spectrograms. "
            "Name a run of vocode, or leave --vocoder out for Griffin-Lim."
        )
    return Vocoder(run.predictor.net.cpu().eval())


# ---- speak -----------------------------------------------------------------------------------------------


def speak(arguments: Speak) -> int:
    """Write the sound, and the picture if one is asked for."""
    check_number("--speed", arguments.speed, *SPEEDS)
    check_number("--pitch", arguments.pitch, *SEMITONES)
    if arguments.out.suffix.lower() != ".wav":
        raise UserError(f"--out {arguments.out} must end in .wav.")
    symbols = symbols_of(arguments.text)
    _check_symbols(symbols)
    prepare_file(arguments.out, overwrite=arguments.overwrite)
    if arguments.picture is not None:
        prepare_image_file(arguments.picture, overwrite=arguments.overwrite, option="--picture")
    speaker = open_speaker(arguments.run, arguments.device)
    check_number("--voice", arguments.voice, 1, speaker.speakers)
    if speaker.config.model != FASTSPEECH and (arguments.speed, arguments.pitch) != (1.0, 0.0):
        raise UserError(
            f"--speed and --pitch change what a FastSpeech predicts, but {arguments.run} is a Tacotron, which predicts "
            "no durations and no pitch. Leave them out, or use a run of speak."
        )
    voice = arguments.voice - 1
    (said,) = speaker.say([numbers_of(symbols)], voices=[voice], speed=arguments.speed, pitch=arguments.pitch)
    (sound,) = sounds_of([said.mel], speaker.vocoder(arguments.vocoder, arguments.device))
    arguments.out.write_bytes(wav_bytes(sound.numpy(), RATE))
    end = "" if said.stopped else "; it did not end by itself and was cut off"
    print(f"{len(said.mel) * HOP / RATE:.2f} s: {' '.join(symbols)}{end}")
    if arguments.picture is not None:
        (true,) = log_mels([torch.from_numpy(spoken(arguments.text, voice, 0).samples)])
        mels = (("speaker", true), ("model", said.mel))
        column: Column = (f"{arguments.text} ({NAMES[voice]})", mels, said.attention, symbols)
        draw_speech(arguments.picture, [column])
        print(arguments.picture)
    print(arguments.out)
    return 0


def _check_symbols(symbols: Sequence[str]) -> None:
    """Raise `UserError` for what is no phoneme, nothing at all, or too much."""
    if wrong := [each for each in symbols if each not in SYMBOLS]:
        raise UserError(
            f"'{wrong[0]}' is no phoneme of ARPAbet that the model knows. Known: {' '.join(SYMBOLS)}; a 1 after a "
            "vowel is its stress."
        )
    if len(symbols) < 2:
        raise UserError("There is nothing to say: the text has no words.")
    if len(symbols) > MOST_PHONEMES:
        raise UserError(
            f"The text has {len(symbols)} phonemes, and at most {MOST_PHONEMES} are spoken at a time. Speak it "
            "sentence by sentence."
        )


# ---- loop ------------------------------------------------------------------------------------------------


def loop(arguments: Loop) -> int:
    """Print what is understood of new sentences, and the word error rates."""
    check_number("--n", arguments.n, 1, 1000)
    check_number("--shown", arguments.shown, 0, 1000)
    speaker = open_speaker(arguments.run, arguments.device)
    listeners = _listeners(arguments.recogniser, arguments.device)
    vocoder = speaker.vocoder(arguments.vocoder, arguments.device)
    texts = new_digits(speaker.config.seed, arguments.n)
    told = said_by(speaker, texts, vocoder)
    right = [words_of(text) for text in texts]
    by = "the vocoder" if arguments.vocoder else "Griffin-Lim"
    names = {"model": f"the model, {by}", "true": f"true spectrograms, {by}", "speaker": "the speaker itself"}
    for name, hear in listeners.items():
        print(f"{name} listens to {arguments.n} sentences of {sum(map(len, right))} words:")
        for source, sounds in told.items():
            found = [hear(each.numpy()) for each in sounds]
            if source == "model":
                for text, words in list(zip(texts, found, strict=True))[: arguments.shown]:
                    print(f"  {text} → {' '.join(words)}")
            print(f"  {names[source]:<34}word error rate {error_rate(right, found):.4f}")
    return 0


def new_digits(seed: int, count: int) -> list[str]:
    """Sentences of digits that are in no source of fewer than 20,000 sentences with this seed."""
    found = (text for text in sentences(20_000 + 4 * count, seed)[20_000:] if is_digits(text))
    return list(found)[:count]


def said_by(speaker: Speaker, texts: Sequence[str], vocoder: nn.Module) -> dict[str, list[Tensor]]:
    """The sound of each text: by the model, by the true spectrograms, by the speaker itself."""
    said = speaker.say([numbers_of(symbols_of(text)) for text in texts], voices=[0] * len(texts))
    true = [torch.from_numpy(spoken(text, 0, i).samples) for i, text in enumerate(texts)]
    return {
        "model": sounds_of([each.mel for each in said], vocoder),
        "true": sounds_of(log_mels(true), vocoder),
        "speaker": true,
    }


def _listeners(recogniser: Path | None, device: str) -> dict[str, Hear]:
    """Who listens, by name. Raises `UserError` if nobody can."""
    found: dict[str, Hear] = {}
    if can_listen():
        found["pocketsphinx"] = Listener().hear
    if recogniser is not None:
        found[str(recogniser)] = _recogniser(recogniser, device)
    if not found:
        raise UserError(
            "Nobody listens: pocketsphinx is not installed, and no run of recognise was named. Install the extra "
            "seq-models[speech], or name a run after the first."
        )
    return found


def _recogniser(folder: Path, device: str) -> Hear:
    from torchworks.seq_models.recognition.listening import open_listener
    from torchworks.shared.data.sounds import resampled

    listener = open_listener(folder, device)

    def hear(samples: np.ndarray) -> list[str]:
        samples = resampled(samples, RATE, listener.rate)
        found = listener.decoded(listener.probabilities(samples), len(samples) / listener.rate)
        return found.text.lower().split()

    return hear


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write the word error rates of pocketsphinx on new sentences of digits: by the model, by true
    spectrograms, by the speaker itself. Of a vocoder, the model is the vocoder, from true spectrograms."""
    if arguments.data is not None:
        raise UserError("Speech is scored on sentences that are spoken for it. Leave --data out.")
    if not can_listen():
        raise UserError("pocketsphinx scores speech, and it is not installed. Install the extra seq-models[speech].")
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    texts = new_digits(0, HEARD)
    if read_manifest(arguments.run).builder == VOCODER:
        vocoder = open_vocoder(arguments.run, arguments.device)
        true = [torch.from_numpy(spoken(text, 0, i).samples) for i, text in enumerate(texts)]
        mels = log_mels(true)
        told = {"": sounds_of(mels, vocoder), "griffin_lim_": sounds_of(mels, MelToSound()), "speaker_": true}
    else:
        speaker = open_speaker(arguments.run, arguments.device)
        names = {"model": "", "true": "griffin_lim_", "speaker": "speaker_"}
        sounds = said_by(speaker, texts, speaker.vocoder(None, arguments.device))
        told = {names[name]: each for name, each in sounds.items()}
    right, listener = [words_of(text) for text in texts], Listener()
    result: dict[str, float] = {"n": sum(map(len, right))}
    for name, each in told.items():
        result[f"{name}wer"] = error_rate(right, [listener.hear(sound.numpy()) for sound in each])
    for name, value in result.items():
        print(f"{name:<18}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", result)
    print(folder)
    return 0
