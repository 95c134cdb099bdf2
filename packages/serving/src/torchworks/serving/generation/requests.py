"""What a request to generate text says, checked: prompts, options, and the texts that come of them.

| field | meaning | unless said |
|---|---|---|
| `prompt` | a text, or a list of token ids | it or the next is needed |
| `prompts` | several of either | |
| `max_tokens` | tokens to generate, at most | the model's |
| `temperature`, `top_k`, `top_p`, `min_p`, `repetition_penalty` | see `Sampling` | the model's |
| `seed` | draws the same texts again | drawn, and answered |
| `n` | texts for each prompt | 1 |
| `stop` | a string, or several, before which a text ends | none |
| `stream` | pieces as they come, as server-sent events | false |
"""

import dataclasses
import functools
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.generation.text_stream import TextStream
from torchworks.serving.generation.texts import Generated, Options, Restrict, Text
from torchworks.serving.limits import Limits
from torchworks.serving.unknown_text import unknown_warnings
from torchworks.shared.config import UserError, nearest
from torchworks.shared.models.generation import GenerationSpec
from torchworks.shared.text import Tokenizer
from torchworks.shared.text.copied_numbers import CopiedNumbers
from torchworks.shared.text.sampling import Sampling

SAMPLING = tuple(field.name for field in dataclasses.fields(Sampling))
FIELDS = ("prompt", "prompts", "max_tokens", *SAMPLING, "seed", "n", "stop", "stream")
LARGEST_SEED = (1 << 63) - 1
MOST_STOPS, LONGEST_STOP = 16, 256
TOO_LONG = "context_length_exceeded"
"""The code by which OpenAI's clients know a prompt that is too long."""
Values = Mapping[str, Any]
Prompt = str | list[int]


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises `Refusal`."""
    try:
        values = from_json(body)
    except ValueError as error:
        raise Refusal(400, "bad_json", f"The body is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise invalid("The body must be a JSON object.")
    return values


def check_known(values: Values, known: Sequence[str]) -> None:
    """Raise `Refusal` for a field that there is not."""
    for name in values:
        if name not in known:
            raise invalid(f"There is no field '{name[:64]}'.{nearest(name, known)} Known: {', '.join(known)}.")


@dataclass(frozen=True)
class Writer:
    """Makes texts of requests to one model."""

    spec: GenerationSpec
    tokenizer: Tokenizer
    limits: Limits

    def generated(
        self, prompts: Sequence[Prompt], values: Values, stop: Sequence[str] = (), *, alone: bool = False
    ) -> Generated:
        """The texts for `prompts` by the options among `values`, which end before a string of `stop` too. Texts that
        stand `alone`, as all answers do, have no space around them. Raises `Refusal`."""
        number = whole(values, "n", 1, self.limits.rows, 1)
        if len(prompts) * number > self.limits.rows:
            raise Refusal(413, "too_many_rows", f"A request may be for {self.limits.rows} texts at most.")
        options = self._options(values, stop)
        texts, unknown, alone = list[Text](), dict[int, str](), alone or self.spec.answers
        for row, prompt in enumerate(prompts, 1):
            ids = self.encoded(prompt)
            if isinstance(prompt, str) and self.tokenizer.unknown in ids:
                unknown[row] = prompt
            restrict = self._restrict(prompt, options)
            streams = [TextStream(self.tokenizer, options.stop, alone) for _ in range(number)]
            texts += [
                Text(len(texts) + i, ids, options, stream, number=i, restrict=restrict)
                for i, stream in enumerate(streams)
            ]
        return Generated(texts, unknown_warnings("The prompt", unknown, len(prompts) > 1, self.tokenizer))

    def _restrict(self, prompt: Prompt, options: Options) -> Restrict | None:
        """What forbids numbers that are none of the prompt's, for a model that copies its numbers."""
        if not self.spec.copies_numbers or options.sampling.temperature:
            return None
        text = prompt if isinstance(prompt, str) else self.tokenizer.decode(prompt)
        return functools.partial(CopiedNumbers(self.tokenizer, [text]), 0)

    def _options(self, values: Values, stop: Sequence[str]) -> Options:
        given = {name: values[name] for name in SAMPLING if values.get(name) is not None}
        for name, value in given.items():
            kinds = (int,) if name == "top_k" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise invalid(f"'{name}' must be a {'whole number' if name == 'top_k' else 'number'}.")
        try:
            sampling = dataclasses.replace(self.spec.sampling, **given)
        except UserError as error:
            raise invalid(str(error)) from None
        most = self.limits.generate_tokens
        return Options(
            sampling,
            seed=whole(values, "seed", 0, LARGEST_SEED, secrets.randbits(31)),
            most=whole(values, "max_tokens", 1, most, min(self.spec.max_tokens, most)),
            stop=(*_stops(values), *stop),
            deadline=time.monotonic() + self.limits.generate_seconds,
            answers=self.spec.answers,
        )

    def encoded(self, prompt: Prompt) -> list[int]:
        """The ids of a prompt, with the one that begins a text before them. Raises `Refusal` for one that is empty,
        longer than the model reads, or has ids that there are not."""
        ids = self._ids(prompt)
        if not isinstance(prompt, list) and self.spec.begin is not None:
            ids = [self.spec.begin, *ids]
        if not ids:
            raise invalid("The prompt is empty, and this model has no token to begin with: give it some text.")
        self._check_length(len(ids))
        return ids

    def _ids(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            self._check_length(self.tokenizer.fewest(prompt), "at least ")
            return self.tokenizer.encode(prompt)
        if any(type(each) is not int or not 0 <= each < len(self.tokenizer) for each in prompt):
            raise invalid(f"Token ids must be whole numbers from 0 to {len(self.tokenizer) - 1}.")
        return prompt

    def _check_length(self, length: int, about: str = "") -> None:
        own, allowed = self.spec.longest_prompt, self.limits.text_tokens
        if own is not None and length > own:
            message = f"The prompt has {about}{length} tokens, but this model reads {own} at most."
            raise Refusal(422, TOO_LONG, message)
        if length > allowed:
            message = f"The prompt has {about}{length} tokens, but this service reads {allowed} at most."
            raise Refusal(413, TOO_LONG, message)


def prompts_of(values: Values) -> list[Prompt]:
    """`prompt` or `prompts`. Raises `Refusal`."""
    if ("prompt" in values) == ("prompts" in values):
        raise invalid("Give either 'prompt' or 'prompts'.")
    if "prompts" in values:
        return listed("prompts", values["prompts"], several=True)
    found = listed("prompt", values["prompt"])
    if found != [values["prompt"]]:
        raise invalid("'prompt' must be one text or one list of token ids; 'prompts' are several.")
    return found


def listed(name: str, value: Any, *, several: bool = False) -> list[Prompt]:
    """One prompt or several; only these, if told so. Raises `Refusal`."""
    if not several and (isinstance(value, str) or (_is_list_of(value, int) and value)):
        return [value]
    if isinstance(value, list) and value and all(isinstance(each, str) or _is_list_of(each, int) for each in value):
        return value
    one = "" if several else "a text or a list of token ids, or "
    raise invalid(f"'{name}' must be {one}a list of texts or of lists of token ids, which is not empty.")


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _stops(values: Values) -> list[str]:
    value = values.get("stop")
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not _is_list_of(stops, str) or not all(0 < len(each) <= LONGEST_STOP for each in stops):
        raise invalid(f"'stop' must be a string of 1 to {LONGEST_STOP} characters, or a list of such.")
    if len(stops) > MOST_STOPS:
        raise invalid(f"'stop' may have {MOST_STOPS} strings at most.")
    return stops


def whole(values: Values, name: str, low: int, high: int, default: int) -> int:
    """A whole number. Raises `Refusal`."""
    value = values.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise invalid(f"'{name}' must be a whole number from {low} to {high}.")
    return value


def yes(values: Values, name: str) -> bool:
    """True or false. Raises `Refusal`."""
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"'{name}' must be true or false.")
    return bool(value)
