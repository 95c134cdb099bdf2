"""What an export does besides for a model that generates text: its steps are compared, not only its first answer."""

from dataclasses import dataclass

import numpy as np

from torchworks.serving.engine import Engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.parity import Score
from torchworks.serving.export.trained import Arrays, Samples, Trained
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.shared.config import UserError
from torchworks.shared.models.generation import GenerationSpec, greedy, replay
from torchworks.shared.models.generator import GOLDEN_STEPS
from torchworks.shared.text import Tokenizer

PROMPTS, TOKENS = 16, 32
"""How many of the kept prompts are continued, and by how many tokens, to compare an export with the trained model."""
SCORED_ROWS = 256
LEAST_ALIKE = 0.95
"""The share of tokens at which a smaller model must find the same one likeliest as the trained model."""
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


# ---- what making it smaller costs ------------------------------------------------------------------------


@dataclass(frozen=True)
class TextScore:
    """Texts by which models that generate are scored: tokens (N, T) of `length` (N,) that are given, and the tokens
    `following` (N, K) them of which those that are `real` (N, K) are to be predicted.

    Of a language model these are the second halves of the kept texts, and the score is bits per character. Of a model
    that answers, the answers of the trained model, and bits per token."""

    name: str
    tokens: np.ndarray
    length: np.ndarray
    following: np.ndarray
    real: np.ndarray
    units: int
    """Characters or tokens of what is to be predicted."""

    @classmethod
    def of(cls, samples: Samples, trained: StatefulEngine, tokenizer: Tokenizer) -> "TextScore | None":
        """None where no kept text has two tokens."""
        inputs = samples.rows(slice(SCORED_ROWS)).inputs
        text, length = inputs["text"], inputs["length"]
        return cls._of_answers(trained, text, length) if trained.spec.answers else cls._halves(text, length, tokenizer)

    @classmethod
    def _halves(cls, text: np.ndarray, length: np.ndarray, tokenizer: Tokenizer) -> "TextScore | None":
        text, length = text[length > 1], length[length > 1]
        if not len(text):
            return None
        given = int(length.min()) // 2
        following = text[:, given : given + TOKENS]
        real = np.arange(following.shape[1]) < (length - given)[:, None]
        characters = sum(len(tokenizer.decode(row[kept].tolist())) for row, kept in zip(following, real, strict=True))
        lengths = np.full_like(length, given)
        return cls("bits per character", text[:, :given].copy(), lengths, following, real, max(1, characters))

    @classmethod
    def _of_answers(cls, trained: StatefulEngine, text: np.ndarray, length: np.ndarray) -> "TextScore":
        following, _ = greedy(trained.advance, trained.spec, text, length, TOKENS)
        ended = np.cumsum(following == trained.spec.end, 1) - (following == trained.spec.end)
        real = ended == 0  # the token that ends an answer is a part of it
        name = "bits per token of the trained model's answers"
        return cls(name, text, length, following, real, int(real.sum()))

    def logits(self, engine: StatefulEngine) -> np.ndarray:
        """Before each token that is to be predicted, (N, K, V)."""
        return replay(engine.advance, engine.spec, self.tokens, self.length, self.following[:, :-1])

    def of_model(self, engine: StatefulEngine) -> Score:
        logits = self.logits(engine).astype(np.float64)
        most = logits.max(2, keepdims=True)
        total = most[..., 0] + np.log(np.exp(logits - most).sum(2))
        chosen = np.take_along_axis(logits, self.following[..., None], 2)[..., 0]
        return Score(self.name, float((total - chosen)[self.real].sum() / np.log(2) / self.units), -1)


def compared_texts(samples: Samples, trained: Engine, smaller: Engine) -> list[str]:
    """What to write down of the texts of a smaller model beside the trained one's. Raises `UserError` if these are too
    different: the likeliest token must be the same nearly everywhere in the texts that the trained model writes.
    Nothing for a model that does not generate text."""
    if not (isinstance(trained, StatefulEngine) and isinstance(smaller, StatefulEngine)):
        return []
    inputs = with_room(trained.spec, samples.rows(slice(SCORED_ROWS)).inputs, TOKENS)
    text, length = inputs["text"], inputs["length"]
    left = trained.spec.room(int(length.max()))
    count = TOKENS if left is None else max(1, min(TOKENS, left))
    wanted, _ = greedy(trained.advance, trained.spec, text, length, count)
    found, _ = greedy(smaller.advance, smaller.spec, text, length, count)
    likeliest = replay(smaller.advance, smaller.spec, text, length, wanted[:, :-1]).argmax(2)
    ended = wanted == trained.spec.end
    real = np.cumsum(ended, 1) - ended == 0
    alike, same = float((likeliest == wanted)[real].mean()), float(((found == wanted) | ~real).all(1).mean())
    if alike < LEAST_ALIKE:
        raise UserError(
            f"The smaller model writes other texts: within those of the trained model, its likeliest token is the same "
            f"at {alike:.1%} of {int(real.sum()):,} places, and {LEAST_ALIKE:.0%} must be. Nothing was written. Leave "
            "out --quantize."
        )
    return [
        f"Generation: within the texts of up to {count} tokens by which the trained model continues or answers "
        f"{len(text)} kept prompts, always with its likeliest token, the smaller one's likeliest token is the same at "
        f"{alike:.2%} of the places. Left alone it writes {same:.1%} of these texts without any difference."
    ]
