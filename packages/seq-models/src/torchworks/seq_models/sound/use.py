"""What the command of the speaker does."""

import dataclasses

import numpy as np

from torchworks.seq_models.sound.commands import Say
from torchworks.seq_models.sound.speaker import Spoken, say
from torchworks.seq_models.sound.voice import Voice, random_channel, random_voice
from torchworks.shared.config import UserError
from torchworks.shared.data.sounds import wav_bytes
from torchworks.shared.options import check_number
from torchworks.shared.runs.outputs import prepare_file, prepare_image_file


def say_text(arguments: Say) -> int:
    """Write the sound, and the picture if one is asked for."""
    for option, value in (("--voice", arguments.voice), ("--channel", arguments.channel), ("--seed", arguments.seed)):
        if value is not None:
            check_number(option, value, 0)
    check_number("--rate", arguments.rate, 8_000, 48_000)
    if arguments.out.suffix.lower() != ".wav":
        raise UserError(f"--out {arguments.out} must end in .wav.")
    spoken = _spoken(arguments)
    prepare_file(arguments.out, overwrite=arguments.overwrite)
    if arguments.picture is not None:
        prepare_image_file(arguments.picture, overwrite=arguments.overwrite, option="--picture")
    arguments.out.write_bytes(wav_bytes(spoken.samples, spoken.rate))
    print(f"{len(spoken.samples) / spoken.rate:.2f} s: {' '.join(segment.name for segment in spoken.phonemes)}")
    if arguments.picture is not None:
        from torchworks.seq_models.sound.plots import draw_spoken

        draw_spoken(arguments.picture, spoken, arguments.text)
        print(arguments.picture)
    print(arguments.out)
    return 0


def _spoken(arguments: Say) -> Spoken:
    voice = Voice() if arguments.voice is None else random_voice(np.random.default_rng(arguments.voice))
    changes = {"pitch": arguments.pitch, "size": arguments.size, "speed": arguments.speed}
    try:
        voice = dataclasses.replace(voice, **{name: value for name, value in changes.items() if value is not None})
    except ValueError as error:
        raise UserError(str(error)) from None
    channel = None
    if arguments.channel is not None:
        channel = random_channel(np.random.default_rng(arguments.channel), rate=arguments.rate)
    return say(arguments.text, voice, arguments.seed, channel, rate=arguments.rate)
