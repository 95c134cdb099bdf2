"""The pages beside the lessons: what they say happens, and what they point to exists."""

import re
import warnings

import pytest
from snippets import agrees, said, snippets

from torchworks.lessons.course import ROOT, lessons

PAGES = ["README.md", "capstone.md", "common-mistakes.md", "interview.md", "reading.md"]


def test_each_common_mistake_shows_its_symptom_and_each_cure_works():
    names: dict[str, object] = {"__name__": "snippet"}
    found = snippets((ROOT / "common-mistakes.md").read_text(encoding="utf-8"))
    assert len([snippet for snippet in found if snippet.says]) >= 8
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for snippet in found:
            given = said(snippet.code, names)
            if snippet.says is None:
                assert "Error: " not in given, f"{snippet.code}\n{given}"
            else:
                assert agrees(given, snippet.says), f"{snippet.code}\nsaid: {given}\nnot: {snippet.says}"


def test_the_readme_lists_every_lesson_with_its_number():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for lesson in lessons():
        assert f"| {lesson.number} | [`{lesson.name}`](course/{lesson.path.name}) |" in text


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^):#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert links or page in ("capstone.md", "reading.md")
    for link in links:
        assert (ROOT / link).exists(), link
