"""What the Python client says and reads when a model writes text: options, texts, and the pieces of a stream. Imports
no torch and sends nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, overload

import httpx2

from torchworks.serving import addresses
from torchworks.serving.client.events import EventReader
from torchworks.serving.client.plans import Call, Plan, answered, responded

__all__ = ["GenerateOptions", "Generated", "GeneratedText", "Pieces", "TextPiece", "generated", "streamed"]

Prompt = str | Sequence[int]


class GenerateOptions(TypedDict, total=False):
    """How text is generated; what is left out is as the model's own sampling says."""

    max_tokens: int
    """Most tokens of each text."""
    temperature: float
    """Below 1 likely tokens become likelier; 0 always takes the likeliest."""
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    seed: int
    """Draws the same texts again."""
    n: int
    """Texts for each prompt."""
    stop: str | Sequence[str]
    """Strings before which a text ends."""


@dataclass(frozen=True)
class GeneratedText:
    """A text, without its prompt. `finish_reason` says why it ended: "stop" (its end token or a stop string), "length"
    or "time"; `tokens` is how many it has."""

    text: str
    finish_reason: str
    tokens: int


@dataclass(frozen=True)
class Generated(Sequence[GeneratedText]):
    """The texts that a model generated: of each prompt in turn, `n` texts. `seed` draws them again. A prompt with
    several texts counts once in `prompt_tokens`."""

    model: str
    version: str
    request_id: str
    texts: tuple[GeneratedText, ...]
    prompt_tokens: int
    completion_tokens: int
    seed: int
    warnings: tuple[str, ...] = ()
    """Sentences that name what of the prompts the model has not seen in training."""

    @property
    def text(self) -> str:
        """The first text."""
        return self.texts[0].text

    @overload
    def __getitem__(self, index: int) -> GeneratedText: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[GeneratedText, ...]: ...
    def __getitem__(self, index: int | slice) -> GeneratedText | tuple[GeneratedText, ...]:
        return self.texts[index]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class TextPiece:
    """The next part of text number `index`; its last one has the `finish_reason`."""

    index: int
    text: str
    finish_reason: str | None = None


def body_of(prompt: Prompt | Sequence[Prompt], options: Mapping[str, Any], *, stream: bool) -> dict[str, Any]:
    """The JSON of a request for one prompt, a text or token ids, or for several."""
    several = not isinstance(prompt, str) and not all(isinstance(each, int) for each in prompt)
    asked = {"prompts": [_plain(each) for each in prompt]} if several else {"prompt": _plain(prompt)}
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(stop := given.get("stop", ""), str):
        given["stop"] = list(stop)
    return {**asked, **given, **({"stream": True} if stream else {})}


def _plain(prompt: Any) -> str | list[int]:
    return prompt if isinstance(prompt, str) else list(prompt)


def generated_from(answer: Mapping[str, Any]) -> Generated:
    """From the JSON that answers a request without `stream`."""
    texts = (GeneratedText(each["text"], each["finish_reason"], each["tokens"]) for each in answer["texts"])
    usage = answer["usage"]
    return Generated(
        answer["model"], answer["version"], answer["request_id"], tuple(texts), usage["prompt_tokens"],
        usage["completion_tokens"], answer["seed"], tuple(answer.get("warnings", ())),
    )  # fmt: skip


class Pieces(EventReader[TextPiece]):
    """Reads server-sent events into pieces of text."""

    def is_last(self, event: dict[str, Any]) -> bool:
        return "usage" in event

    def made_of(self, event: dict[str, Any]) -> TextPiece:
        return TextPiece(event["index"], event["text"], event.get("finish_reason"))


def generated(
    model: str, prompt: Prompt | Sequence[Prompt], options: GenerateOptions, timeout: float
) -> Plan[Generated]:
    """The texts as a whole."""
    body = {"json": body_of(prompt, options, stream=False)}
    call = Call("POST", addresses.model(model, None, "generate"), options=body)
    return generated_from((yield from answered(call, timeout)))


def streamed(
    model: str, prompt: Prompt | Sequence[Prompt], options: GenerateOptions, timeout: float
) -> Plan[httpx2.Response]:
    """The response whose events `Pieces` reads."""
    body = {"json": body_of(prompt, options, stream=True)}
    call = Call("POST", addresses.model(model, None, "generate"), options=body, events=True)
    return (yield from responded(call, timeout))
