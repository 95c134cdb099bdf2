"""Numbers, dates and times are spelled as num2words spells them, and as people say them."""

import random

import pytest
from num2words import num2words

from torchworks.seq_models.data import spellers

NUMBERS = [
    *range(0, 1200), *(random.Random(0).randrange(10**digits) for digits in range(4, 10) for _ in range(250)),
    10**6, 2 * 10**6, 21 * 10**6, 80 * 10**6, 200 * 10**6, spellers.LARGEST,
]  # fmt: skip


def reference(number: int, language: str, to: str = "cardinal") -> str:
    return num2words(number, lang=language, to=to).replace(",", "")


@pytest.mark.parametrize("language", spellers.LANGUAGES)
def test_numbers_are_as_num2words_has_them(language):
    for number in NUMBERS:
        if language == "de" and number > 100_000 and number // 1000 % 100 == 1:
            continue  # num2words 0.5 has "hunderteinstausend", where German says "hunderteintausend"
        assert spellers.number(language, number) == reference(number, language), number


def test_a_hundred_and_one_thousand_is_german():
    assert spellers.number("de", 101_000) == "einhunderteintausend"


@pytest.mark.parametrize("language", ["en", "de"])
def test_years_are_as_num2words_has_them(language):
    for year in range(1100, 2100):
        assert spellers.date(language, year, 1, 3).endswith(f" {reference(year, language, 'year')}")


@pytest.mark.parametrize("day", range(1, 32))
def test_days_are_ordinals(day):
    assert spellers.date("en", 1999, 5, day) == f"the {reference(day, 'en', 'ordinal')} of May nineteen ninety-nine"
    assert spellers.date("de", 1999, 5, day).startswith(f"der {reference(day, 'de', 'ordinal')} Mai ")
    french = "premier" if day == 1 else reference(day, "fr")
    assert spellers.date("fr", 2000, 8, day) == f"le {french} août deux mille"


def test_english_has_the_month_first_too():
    assert spellers.date("en", 1905, 12, 22, month_first=True) == "December the twenty-second nineteen oh-five"


@pytest.mark.parametrize(
    ("hour", "minute", "en", "de", "fr"),
    [
        (15, 45, "a quarter to four in the afternoon", "Viertel vor vier nachmittags",
         "quatre heures moins le quart de l'après-midi"),
        (3, 30, "half past three in the morning", "halb vier morgens", "trois heures et demie du matin"),
        (0, 30, "half past twelve in the morning", "halb eins morgens", "douze heures et demie du matin"),
        (13, 15, "a quarter past one in the afternoon", "Viertel nach eins nachmittags",
         "une heure et quart de l'après-midi"),
        (23, 35, "twenty-five to twelve in the evening", "fünfundzwanzig vor zwölf abends",
         "douze heures moins vingt-cinq du soir"),
        (1, 0, "one o'clock in the morning", "ein Uhr morgens", "une heure du matin"),
        (18, 5, "five past six in the evening", "fünf nach sechs abends", "six heures cinq du soir"),
        (9, 21, "nine twenty-one in the morning", "neun Uhr einundzwanzig morgens",
         "neuf heures vingt et une du matin"),
        (9, 1, "nine oh one in the morning", "neun Uhr eins morgens", "neuf heures une du matin"),
    ],
)  # fmt: skip
def test_times_are_as_people_say_them(hour, minute, en, de, fr):
    assert [spellers.time(language, hour, minute) for language in ("en", "de", "fr")] == [en, de, fr]


def test_a_clock_says_hours_then_minutes():
    said = [spellers.clock(language, 15, 45) for language in ("en", "de", "fr")]
    assert said == [
        "three forty-five in the afternoon", "drei Uhr fünfundvierzig nachmittags",
        "trois heures quarante-cinq de l'après-midi",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [-1, spellers.LARGEST + 1])
def test_other_numbers_are_refused(number):
    with pytest.raises(ValueError, match="from 0 to 999,999,999"):
        spellers.number("en", number)
