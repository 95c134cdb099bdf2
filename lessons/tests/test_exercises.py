"""Answers to exercises: right ones, wrong ones and missing ones are told apart."""

import pytest

from torchworks.lessons.checking import exercises, judge, load
from torchworks.lessons.course import ROOT, lessons

WRONG = ROOT / "tests" / "wrong_answers"
CASES = [(lesson, name) for lesson in lessons() for name in exercises(lesson)]
each_exercise = pytest.mark.parametrize(("lesson", "name"), CASES, ids=[f"{one.name}-{name}" for one, name in CASES])


def verdict(lesson, name, path, function=None):
    answers = load(path)
    if function:
        setattr(answers, name, getattr(answers, function))
    return judge(exercises(lesson)[name], answers, path)


@each_exercise
def test_the_solution_is_right(lesson, name):
    found = verdict(lesson, name, lesson.part("solutions"))
    assert found.state == "right", found


@each_exercise
def test_the_stub_is_not_answered(lesson, name):
    found = verdict(lesson, name, lesson.part("exercises"))
    assert (found.state, found.why) == ("not answered", "")


@each_exercise
def test_a_plausible_wrong_answer_is_told_wrong_with_a_hint(lesson, name):
    path = WRONG / f"{lesson.name}.py"
    functions = [one for one in vars(load(path)) if one == name or one.startswith(f"{name}__")]
    assert functions
    for function in functions:
        found = verdict(lesson, name, path, function)
        assert found.state == "wrong", f"{function}: {found}"
        assert len(found.why) > 20


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
def test_a_lesson_has_three_exercises_and_no_more(lesson):
    names = list(exercises(lesson))
    assert len(names) == 3
    for name in names:
        assert f"`{name}`" in lesson.path.read_text()
