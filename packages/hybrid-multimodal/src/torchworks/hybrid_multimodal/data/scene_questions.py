"""The data source `scene-questions`: questions about the scenes of `digit-scenes`, with their answers.

    scene-questions                              one to three digits, ten questions at most about each scene
    scene-questions:objects=1-2,train=4000       options of digit-scenes

| question | answer |
|---|---|
| what color is the seven? | one of six colors |
| which digit is red? | one of ten digits |
| which digit is left of the red seven? (right of, above, below) | one of ten digits |
| what color is the digit above the seven? | one of six colors |
| how many digits are there? | 1, 2 or 3 |
| is there a seven? | yes or no |
| is there a red seven? | yes or no |
| is the red seven left of the blue three? | yes or no |

A question is asked only where it has one answer. Half of the answers to those for yes or no are no, about things whose
color is there, so that the question alone says little, and about pairs of color and digit that the scene's part of the
data has: no pair is held out by being answered with no. A sample has the fields of its picture and

| field | tensor | meaning |
|---|---|---|
| `question` | uint8 (Q, L) | UTF-8, ended by zeros; all zeros where there is none |
| `answer` | int64 (Q,) | its class, or -1 |
| `held` | int64 () | 1 for scenes of held-out pairs |

Shape letters: N scenes, Q questions about a scene, L bytes of a question, M objects.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from torch import Tensor

from torchworks.hybrid_multimodal.data.questions import padded_questions, question_schema
from torchworks.hybrid_multimodal.data.scene_captions import (
    COLORS,
    DIGITS,
    RELATIONS,
    Thing,
    held_things,
    seen_things,
)
from torchworks.hybrid_multimodal.data.scenes import open_digit_scenes, parse_options
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Field, Schema, Source, TensorDataset, resident
from torchworks.shared.numbers.seeds import mix

NAME = "scene-questions"
ASKED = 10
"""Questions about a scene."""
ANSWERS = ("no", "yes", *COLORS, *DIGITS, "1", "2", "3")
OPPOSITE = {"left of": "right of", "above": "below"}

Question = tuple[str, str]
"""A question and its answer."""


class Scene:
    """`things`, in their order along `relation` ("" for one), about which questions are asked; those for yes or no
    name only `known` things."""

    def __init__(self, things: Sequence[Thing], relation: str, known: Sequence[Thing]):
        self.things, self.relation, self.known = things, relation, known

    def questions(self, draw: np.random.Generator) -> list[Question]:
        """All kinds that have one answer, in a random order."""
        found = [*self._of_one(), *self._of_neighbors(), *self._of_presence(draw), *self._of_places(draw)]
        found.append(("how many digits are there?", str(len(self.things))))
        return [found[i] for i in draw.permutation(len(found))]

    def _of_one(self) -> Iterator[Question]:
        colors, digits = zip(*self.things, strict=True)
        for color, digit in self.things:
            if digits.count(digit) == 1:
                yield f"what color is the {digit}?", color
            if colors.count(color) == 1:
                yield f"which digit is {color}?", digit

    def _of_neighbors(self) -> Iterator[Question]:
        """Of the second thing from either end, before which there is one alone."""
        if not self.relation:
            return
        for things, relation in ((self.things, self.relation), (self.things[::-1], OPPOSITE[self.relation])):
            (color, digit), (before, its) = things[0], things[1]
            if self.things.count(things[1]) == 1:
                yield f"which digit is {relation} the {before} {its}?", digit
            if [d for _, d in self.things].count(its) == 1:
                yield f"what color is the digit {relation} the {its}?", color

    def _of_presence(self, draw: np.random.Generator) -> Iterator[Question]:
        digits = {digit for _, digit in self.things}
        absent = sorted({digit for _, digit in self.known} - digits)
        among, answer = (sorted(digits), "yes") if draw.random() < 0.5 else (absent, "no")
        yield f"is there a {among[int(draw.integers(len(among)))]}?", answer
        there = self.things[int(draw.integers(len(self.things)))]
        others = [each for each in self.known if each[0] == there[0] and each not in self.things]
        if draw.random() < 0.5 or not others:
            yield f"is there a {' '.join(there)}?", "yes"
        else:
            yield f"is there a {' '.join(others[int(draw.integers(len(others)))])}?", "no"

    def _of_places(self, draw: np.random.Generator) -> Iterator[Question]:
        if not self.relation or any(self.things.count(each) > 1 for each in self.things[:2]):
            return
        pair = [*self.things[:2]]
        if draw.random() < 0.5:
            pair.reverse()
        relation = self.relation
        right = pair == [*self.things[:2]]
        if draw.random() < 0.5:
            relation, right = OPPOSITE[relation], not right
        first, second = (" ".join(each) for each in pair)
        yield f"is the {first} {relation} the {second}?", "yes" if right else "no"


class SceneQuestions:
    """The scenes of a data set with `ASKED` questions about each."""

    drawn = True

    def __init__(self, scenes: Dataset, known: Sequence[Sequence[Thing]], seed: int, schema: Schema):
        self.scenes, self.known, self.seed, self.schema = scenes, known, seed, schema

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return self._asked({name: value[None] for name, value in self.scenes[i].items()}, [i])[0]

    def resident(self) -> TensorDataset:
        return self._resident

    @cached_property
    def _resident(self) -> TensorDataset:
        return self._asked(resident(self.scenes).tensors, range(len(self)))

    def _asked(self, scenes: dict[str, Tensor], rows: Sequence[int]) -> TensorDataset:
        colors, names = scenes["color"].tolist(), list(COLORS)
        digits, relations = scenes["box_label"].tolist(), scenes["relation"].tolist()
        questions: list[list[Question]] = []
        for place, i in enumerate(rows):
            things = [(names[c], DIGITS[d]) for c, d in zip(colors[place], digits[place], strict=True) if c >= 0]
            relation = RELATIONS[relations[place]] if len(things) > 1 else ""
            scene = Scene(things, relation, self.known[i % len(self.known)])
            questions.append(scene.questions(np.random.default_rng(mix(self.seed, "questions", i)))[:ASKED])
        text, answer = padded_questions(questions, ANSWERS, self.schema)
        kept = {"image": scenes["image"], "question": text, "answer": answer, "held": scenes["held"]}
        return TensorDataset(kept, self.schema)


def longest_question() -> int:
    """Bytes of the longest one."""
    return len("is the yellow three right of the yellow three?")


def open_scene_questions(rest: str, config: LoaderConfig, seed: int) -> Source:
    """For an entry point in the group `torchworks.sources`; options are those of digit-scenes. Raises `UserError`."""
    scenes, tune = open_digit_scenes(rest, config, seed), bool(parse_options(rest).tune)
    base = question_schema(scenes.schema["image"].shape, ASKED, longest_question(), ANSWERS)
    schema = Schema((*base.fields, Field("held", "label", (), ("seen", "held"))))
    seen, held = seen_things(tune=tune), held_things(tune=tune)
    train = SceneQuestions(scenes.train, [seen], mix(seed, NAME, "train"), schema)
    test = SceneQuestions(scenes.test, [seen, held], mix(seed, NAME, "test"), schema)
    return Source(NAME, scenes.licence, train, test, schema, f"{scenes.fingerprint}-questions", scenes.notes)
