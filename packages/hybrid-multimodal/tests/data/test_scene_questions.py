"""Questions about scenes have one answer, which the scene gives and the question alone does not."""

from collections import Counter

import pytest
import torch

from torchworks.hybrid_multimodal.data.questions import NONE, questions_in
from torchworks.hybrid_multimodal.data.scene_captions import held_things, seen_things
from torchworks.hybrid_multimodal.data.scene_questions import ANSWERS, OPPOSITE, Scene, open_scene_questions
from torchworks.hybrid_multimodal.questions.baselines import baselines
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import Part, resident
from torchworks.shared.data.captions import captions_in


@pytest.fixture(scope="module")
def source():
    return open_scene_questions("train=400,test=60", ImageConfig(image_size=32), 0)


def asked(dataset):
    """Caption, question and answer of every question that there is."""
    answers = resident(dataset).tensors["answer"].tolist()
    for caption, questions, its in zip(captions_in(dataset.scenes), questions_in(dataset), answers, strict=True):
        for question, answer in zip(questions, its, strict=True):
            assert bool(question) == (answer != NONE)
            if question:
                yield caption, question, ANSWERS[answer]


def test_answers_are_what_the_caption_says(source):
    kinds = Counter()
    for caption, question, answer in asked(source.test):
        things = [tuple(part.split()) for part in caption.replace(" left of ", ",").replace(" above ", ",").split(",")]
        things = [(color, digit) for _, color, digit in things]
        words = question.rstrip("?").split()
        kinds[" ".join(words[:2])] += 1
        if question.startswith("how many"):
            assert answer == str(len(things))
        elif words[:3] == ["is", "there", "a"]:
            said = tuple(words[3:])
            there = things if len(said) == 2 else [(digit,) for _, digit in things]
            assert answer == ("yes" if said in there else "no")
        elif words[0] == "which" and len(words) == 4:
            assert [digit for color, digit in things if color == words[3]] == [answer]
        elif words[:2] == ["what", "color"] and len(words) == 5:
            assert [color for color, digit in things if digit == words[4]] == [answer]
        else:
            relation = next(each for pair in OPPOSITE.items() for each in pair if f" {each} " in question)
            order = things if relation in OPPOSITE else things[::-1]
            assert (relation if relation in OPPOSITE else _of(relation)) in caption
            if words[0] == "is":
                first, second = (tuple(words[i : i + 2]) for i in (2, len(words) - 2))
                assert answer == ("yes" if order.index(first) < order.index(second) else "no")
            else:
                place = next(i for i, (c, d) in enumerate(order) if d == words[-1] and words[-2] in (c, "the"))
                assert place == 1
                assert answer == order[0][words[0] == "which"]
    assert set(kinds) == {"how many", "is there", "which digit", "what color", "is the"}


def _of(relation):
    return next(first for first, opposite in OPPOSITE.items() if opposite == relation)


def test_the_question_alone_says_little_and_no_pair_is_held_out_by_a_no(source):
    found = baselines(source.train, source.test)
    assert found["accuracy_majority"] < 0.25
    assert found["accuracy_without_picture"] < 0.4
    said = Counter(answer for _, _, answer in asked(source.train) if answer in ("yes", "no"))
    assert 0.4 < said["yes"] / said.total() < 0.6
    for dataset, known in ((source.train, seen_things()), (Part(source.test, range(1, 120, 2)), held_things())):
        held = {thing for row in questions_in(dataset) for question in row if (thing := _thing_asked_for(question))}
        assert held
        assert held <= {*known}


def _thing_asked_for(question):
    words = question.rstrip("?").split()
    return tuple(words[3:]) if question.startswith("is there a") and len(words) == 5 else None


def test_a_sample_is_the_same_alone_and_among_all(source):
    whole = resident(source.test).tensors
    for name, value in source.test[7].items():
        assert torch.equal(value, whole[name][7])


def test_a_question_with_two_answers_is_not_asked():
    scene = Scene([("red", "one"), ("red", "two")], "above", seen_things())
    import numpy as np

    questions = [question for question, _ in scene.questions(np.random.default_rng(0))]
    assert "which digit is red?" not in questions
    assert "what color is the one?" in questions
