"""Each lesson runs, says and draws what it claims, and its errors are the real ones."""

import re
import warnings

import pytest
from PIL import Image
from snippets import agrees, said, sections, snippets, text_of

from torchworks.lessons.course import ROOT, Lesson, lessons, run

LESSONS = lessons()
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
SLOW = {
    "anomaly",
    "debugging",
    "detection",
    "diffusion",
    "forecasting",
    "gans",
    "generation",
    "processes",
    "recommendation",
    "reinforcement",
    "sentiment",
    "serving",
    "smaller",
    "transfer",
}
"""Lessons of more than five seconds."""


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(lesson, id=lesson.name, marks=[pytest.mark.slow] if lesson.name in SLOW else [])
        for lesson in LESSONS
    ],
)
def test_a_lesson_runs_and_draws_its_figure(lesson: Lesson, figures, capsys):
    run(lesson)
    assert len(capsys.readouterr().out.splitlines()) >= 3
    with Image.open(figures / lesson.name / "figure.png") as picture:
        assert picture.width >= 600
        assert picture.convert("L").getextrema() != (255, 255)


@each_lesson
def test_what_goes_wrong_goes_wrong_as_the_lesson_says(lesson: Lesson):
    found = snippets(sections(text_of(lesson.path))["What goes wrong"])
    assert any(snippet.says for snippet in found)
    assert any(snippet.says is None for snippet in found), "a cure must run through"
    names: dict[str, object] = {"__name__": "snippet"}
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for snippet in found:
            given = said(snippet.code, names)
            if snippet.says is None:
                assert "Error: " not in given, f"{snippet.code}\n{given}"
            else:
                assert agrees(given, snippet.says), f"{snippet.code}\nsaid: {given}\nnot: {snippet.says}"


@each_lesson
def test_a_lesson_has_its_sections_and_names_files_that_exist(lesson: Lesson):
    parts = sections(text_of(lesson.path))
    assert list(parts)[-3:] == ["What goes wrong", "Exercises", "Where this lives"]
    assert f"NAME={lesson.name}" in parts["Exercises"]
    assert len(re.findall(r"^\d\. `", parts["Exercises"], re.MULTILINE)) == 3
    links = re.findall(r"\]\(([^):]+)\)", parts["Where this lives"])
    assert links
    for link in links:
        assert (lesson.path.parent / link).is_file(), link


@each_lesson
def test_a_lesson_asserts_what_it_claims_and_opens_with_a_summary(lesson: Lesson):
    assert re.search(r"^assert ", lesson.path.read_text(), re.MULTILINE)
    assert lesson.title.startswith(f"{lesson.number}. ")
    assert 40 <= len(lesson.summary) <= 240


def test_lessons_are_counted_without_a_gap():
    assert [lesson.number for lesson in LESSONS] == list(range(1, len(LESSONS) + 1))


def test_every_lesson_has_its_files_and_no_file_lacks_its_lesson():
    names = {lesson.name for lesson in LESSONS}
    for folder in ("exercises", "solutions", "checks", "tests/wrong_answers"):
        assert {path.stem for path in (ROOT / folder).glob("*.py")} == names, folder
