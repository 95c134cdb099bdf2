"""What an export does besides for a model that generates text: its steps are compared, not only its first answer."""

import numpy as np

from torchworks.serving.engine import Engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.trained import Arrays, Samples, Trained
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.shared.config import UserError
from torchworks.shared.models.generation import GenerationSpec, greedy, replay
from torchworks.shared.models.generator import GOLDEN_STEPS

PROMPTS, TOKENS = 16, 32
"""How many of the kept prompts are continued, and by how many tokens, to compare an export with the trained model."""
TIE = 1e-3
"""Two tokens whose logits are so near to each other are equally likely: rounding decides between them."""


def check_generator_form(trained: Trained, settings: Export) -> None:
    """Raise `UserError` for options that there are not for a generator."""
    if trained.manifest.generation is None:
        return
    if settings.format in ("torchscript", "aoti"):
        raise UserError(
            f"A model that generates text is not exported as {settings.format}: its cache has to be open from 0 tokens "
            "on. Export it as onnx, pt2 or safetensors."
        )
    if settings.prune:
        raise UserError(
            "The channels of a model that generates text are fixed by the state that a service keeps for it, so it is "
            "not pruned. Leave out --prune."
        )


def golden_steps(engine: StatefulEngine, inputs: Arrays) -> Arrays:
    """The tokens by which the model continues the golden example, and the logits before and after each."""
    text, length = inputs["text"], inputs["length"]
    tokens, _ = greedy(engine.advance, engine.spec, text, length, GOLDEN_STEPS)
    return {"tokens": tokens, "logits": replay(engine.advance, engine.spec, text, length, tokens)}


def check_greedy(samples: Samples, trained: Engine, exported: Engine, form: str) -> list[str]:
    """Raise `UserError` unless both continue the kept prompts by the same likeliest tokens; returns what to write down
    of it. Nothing for a model that does not generate text."""
    if not (isinstance(trained, StatefulEngine) and isinstance(exported, StatefulEngine)):
        return []
    inputs = samples.rows(slice(PROMPTS)).inputs
    inputs = with_room(trained.spec, inputs, TOKENS)
    text, length = inputs["text"], inputs["length"]
    left = trained.spec.room(int(length.max()))
    room = TOKENS if left is None else min(TOKENS, left)
    (wanted, margins), (found, _) = (
        greedy(engine.advance, engine.spec, text, length, room) for engine in (trained, exported)
    )
    for row, differs in enumerate(wanted != found):
        first = int(differs.argmax()) if differs.any() else None
        if first is not None and margins[row, first] > TIE:
            raise UserError(
                f"As {form} the model writes another text: after prompt {row + 1} of {len(text)}, token {first + 1} is "
                f"{found[row, first]} and the trained model's {wanted[row, first]}, though its likeliest token leads "
                f"by {margins[row, first]:.3g}. Nothing was written. Try another --format; safetensors always answers "
                "as trained."
            )
    same = float((wanted == found).mean())
    return [
        f"Generation: {len(text)} kept prompts were continued by {room} tokens each, always by the likeliest one: "
        f"{same:.2%} of the tokens are those of the trained model."
    ]


def with_room(spec: GenerationSpec, inputs: Arrays, count: int) -> Arrays:
    """The prompts, cut so that `count` more tokens fit into the model's longest text."""
    room = spec.room(0)
    most = inputs["text"].shape[1] if room is None else max(1, room - count)
    return {"text": inputs["text"][:, :most].copy(), "length": np.minimum(inputs["length"], most)}
