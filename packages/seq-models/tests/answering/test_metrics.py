"""Scores of answers and summaries, and what they are compared with."""

import pytest

from torchworks.seq_models.answering.baselines import by_words, extreme_sentences, first_sentence
from torchworks.seq_models.answering.metrics import answer_scores, normalized, rouge_l, summary_scores, token_f1
from torchworks.seq_models.data.questions import Row


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        ("the cat sat on the mat", "the cat lay on a mat", 2 / 3),
        ("police killed the gunman", "police kill the gunman", 0.75),
        ("the gunman kill police", "police killed the gunman", 0.5),
        ("It's 3.5 km, isn't it?", "it is 3 km", 0.5),
        ("Ünïcode naïve 3.5", "naive 3 5", 4 / 9),
        ("", "anything", 0.0),
        ("the same", "The same!", 1.0),
    ],
)
def test_rouge_l_is_that_of_the_package_rouge_score(text, reference, score):
    """Scores of rouge-score 0.1.2, without stemmer; in float64."""
    assert rouge_l(text, reference) == pytest.approx(score, abs=1e-12)


def test_case_articles_and_punctuation_do_not_count_in_answers():
    assert normalized("The  Town of Garby.") == "town of garby"
    assert answer_scores(["the Garby!"], ["garby"])["exact_match"] == 1
    assert token_f1("Garby in the north", "north Garby") == pytest.approx(0.8)
    assert token_f1("", "") == 1
    assert token_f1("", "Garby") == 0


def test_what_is_not_in_the_text_is_scored_for_itself():
    scores = answer_scores(["52", "", "", "Garby"], ["52", "", "Garby", ""])
    assert scores["exact_match"] == 0.5
    assert scores["exact_match_answerable"] == 0.5
    assert scores["no_answer_recall"] == scores["no_answer_precision"] == 0.5
    assert "no_answer_recall" not in answer_scores(["52"], ["52"])


def test_summaries_are_equal_up_to_spaces():
    scores = summary_scores(["a  b c", "a b"], ["a b c", "b a"])
    assert scores == {"exact_match": 0.5, "rouge_l": 0.75}


TEXT = "Votaki lives in Garby. Belodu paid 17 euros and Nisamo 52. On 3 May it was Votaki who arrived."


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("How much did Belodu pay?", "17"),
        ("How much did Nisamo pay?", "52"),
        ("Where does Votaki live?", "Garby"),
        ("On which day did Votaki come?", "3 May"),
        ("Who lives in Garby?", "Votaki"),
        ("Where does Somebody live?", ""),
        ("Who paid 99 euros?", ""),
    ],
)
def test_the_search_for_words_finds_what_one_sentence_says(question, found):
    assert by_words(Row(TEXT, question)) == found


def test_sentences_are_copied_as_summaries():
    assert first_sentence(Row(TEXT)) == "Votaki lives in Garby."
    assert extreme_sentences(Row(TEXT)) == "Belodu paid 17 euros and Nisamo 52."
    assert extreme_sentences(Row("No number. None at all.")) == "No number."
