"""Numbers, dates and times in words: English, German, French.

    number("de", 406)                       # vierhundertsechs
    date("fr", 1999, 5, 3)                  # le trois mai mille neuf cent quatre-vingt-dix-neuf
    time("en", 15, 45)                      # a quarter to four in the afternoon

Three languages that are built differently. German says the ones before the tens (einundzwanzig) and writes a number
below a million as one word; French counts by twenties from 60 on (soixante et onze, quatre-vingt-onze) and gives some
plurals an s; English says when it is "a quarter to four", where German says "Viertel vor vier", and at half past three
"halb vier".

Numbers reach from 0 to 999,999,999, years from 1100 to 2099. All is written as num2words writes it, except that English
thousands have no comma.
"""

LANGUAGES = {"en": "English", "de": "German", "fr": "French"}
LARGEST = 999_999_999

ENGLISH = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ENGLISH_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth",
}  # fmt: skip
GERMAN = (
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)  # fmt: skip
GERMAN_TENS = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
GERMAN_ORDINALS = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
FRENCH = (
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize",
    "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
)  # fmt: skip
FRENCH_TENS = (
    "", "", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt",
)  # fmt: skip
MONTHS = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember",
    ),
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre",
    ),
}  # fmt: skip
PERIODS = {
    "en": ("in the morning", "in the afternoon", "in the evening"),
    "de": ("morgens", "nachmittags", "abends"),
    "fr": ("du matin", "de l'après-midi", "du soir"),
}
"""Of the hours 0 to 11, 12 to 17 and 18 to 23."""


def number(language: str, n: int) -> str:
    """The cardinal n, from 0 to 999,999,999."""
    if not 0 <= n <= LARGEST:
        raise ValueError(f"numbers from 0 to {LARGEST:,} can be spelled, but this is {n}")
    return {"en": _english, "de": _german, "fr": _french}[language](n)


def date(language: str, year: int, month: int, day: int, *, month_first: bool = False) -> str:
    """A day from 1100 to 2099: the third of May nineteen ninety-nine, or, where English has the `month_first`, May the
    third nineteen ninety-nine; der dritte Mai neunzehnhundertneunundneunzig; le trois mai mille neuf cent …"""
    name = MONTHS[language][month - 1]
    if language == "en":
        first = f"{name} the {_english_ordinal(day)}" if month_first else f"the {_english_ordinal(day)} of {name}"
        return f"{first} {_english_year(year)}"
    if language == "de":
        return f"der {_german_ordinal(day)} {name} {_german_year(year)}"
    return f"le {'premier' if day == 1 else number('fr', day)} {name} {number('fr', year)}"


def time(language: str, hour: int, minute: int) -> str:
    """An hour from 0 to 23 as people say it, where the minutes are a multiple of five; otherwise as a clock shows it
    (`clock`)."""
    if minute == 0 or minute % 5:
        return clock(language, hour, minute)
    said = {"en": _english_time, "de": _german_time, "fr": _french_time}[language](hour, minute)
    return f"{said} {_period(language, hour)}"


def clock(language: str, hour: int, minute: int) -> str:
    """An hour from 0 to 23, then the minutes: three oh five in the afternoon, drei Uhr fünf nachmittags, trois heures
    cinq de l'après-midi."""
    hours = hour % 12 or 12
    if language == "en":
        minutes = "o'clock" if not minute else f"oh {ENGLISH[minute]}" if minute < 10 else _english(minute)
        said = f"{ENGLISH[hours]} {minutes}"
    elif language == "de":
        said = f"{_german_stem(hours)} Uhr {_german(minute) if minute else ''}".strip()
    else:
        said = f"{_french_hours(hours)} {_french_feminine(minute) if minute else ''}".strip()
    return f"{said} {_period(language, hour)}"


def _period(language: str, hour: int) -> str:
    return PERIODS[language][0 if hour < 12 else 1 if hour < 18 else 2]


# ------------------------------------------------------------------------------------------------------- English


def _english(n: int) -> str:
    for size, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if n >= size:
            high, rest = divmod(n, size)
            joined = "" if not rest else f" and {_english(rest)}" if rest < 100 else f" {_english(rest)}"
            return f"{_english(high)} {name}{joined}"
    if n < 20:
        return ENGLISH[n]
    return ENGLISH_TENS[n // 10] + (f"-{ENGLISH[n % 10]}" if n % 10 else "")


def _english_ordinal(n: int) -> str:
    before, hyphen, last = _english(n).rpartition("-")
    return f"{before}{hyphen}{ENGLISH_ORDINALS.get(last, f'{last}th')}"


def _english_year(year: int) -> str:
    """nineteen ninety-nine, nineteen oh-five, nineteen hundred; two thousand and five, twenty ten."""
    high, low = divmod(year, 100)
    if high % 10 == 0 and low < 10:
        return _english(year)
    return f"{_english(high)} {'hundred' if not low else f'oh-{ENGLISH[low]}' if low < 10 else _english(low)}"


def _english_time(hour: int, minute: int) -> str:
    side, minutes, hour = ("past", minute, hour) if minute <= 30 else ("to", 60 - minute, hour + 1)
    said = {15: "a quarter", 30: "half"}.get(minutes) or _english(minutes)
    return f"{said} {side} {ENGLISH[hour % 12 or 12]}"


# -------------------------------------------------------------------------------------------------------- German


def _german(n: int) -> str:
    """As it is counted: eins, where `_german_stem` has ein."""
    if n < 1_000_000:
        stem = _german_stem(n)
        return f"{stem}s" if n % 100 == 1 else stem
    high, rest = divmod(n, 1_000_000)
    millions = "eine Million" if high == 1 else f"{_german_stem(high)} Millionen"
    return f"{millions} {_german(rest)}" if rest else millions


def _german_stem(n: int) -> str:
    """What a number below a million is within a longer word: einhunderteinundzwanzigtausend…"""
    for size, name in ((1_000, "tausend"), (100, "hundert")):
        if n >= size:
            high, rest = divmod(n, size)
            return f"{_german_stem(high)}{name}{_german_stem(rest) if rest else ''}"
    if n < 20:
        return "ein" if n == 1 else GERMAN[n]
    return (f"{_german_stem(n % 10)}und" if n % 10 else "") + GERMAN_TENS[n // 10]


def _german_ordinal(n: int) -> str:
    """Of a day, in the nominative: erste, dritte, neunzehnte, zwanzigste."""
    return GERMAN_ORDINALS.get(n) or _german(n) + ("te" if n < 20 else "ste")


def _german_year(year: int) -> str:
    """Up to 1999 in hundreds: neunzehnhundertneunundneunzig, but zweitausendfünf."""
    if not 1100 <= year < 2000:
        return _german(year)
    high, low = divmod(year, 100)
    return f"{GERMAN[high]}hundert{_german(low) if low else ''}"


def _german_time(hour: int, minute: int) -> str:
    if minute == 30:
        return f"halb {_german((hour + 1) % 12 or 12)}"
    side, minutes, hour = ("nach", minute, hour) if minute < 30 else ("vor", 60 - minute, hour + 1)
    said = "Viertel" if minutes == 15 else _german(minutes)
    return f"{said} {side} {_german(hour % 12 or 12)}"


# -------------------------------------------------------------------------------------------------------- French


def _french(n: int) -> str:
    if n < 1_000_000:
        return _french_below_million(n)
    high, rest = divmod(n, 1_000_000)
    millions = "un million" if high == 1 else f"{_french(high)} millions"
    return f"{millions} {_french(rest)}" if rest else millions


def _french_below_million(n: int) -> str:
    high, rest = divmod(n, 1000)
    if not high:
        return _french_below_thousand(rest)
    # before mille, cent and quatre-vingt have no s
    thousands = "mille" if high == 1 else f"{_french_below_thousand(high, plural='')} mille"
    return f"{thousands} {_french_below_thousand(rest)}" if rest else thousands


def _french_below_thousand(n: int, plural: str = "s") -> str:
    high, rest = divmod(n, 100)
    if not high:
        return _french_below_hundred(rest, plural)
    hundreds = "cent" if high == 1 else f"{FRENCH[high]} cent"
    if not rest:
        return hundreds + (plural if high > 1 else "")
    return f"{hundreds} {_french_below_hundred(rest, plural)}"


def _french_below_hundred(n: int, plural: str = "s") -> str:
    """70 is sixty-ten, 80 four-twenties and 90 four-twenty-ten; 21, 31, … 71 have "et", but 81 and 91 have not."""
    if n < 20:
        return FRENCH[n]
    tens, rest = divmod(n, 10)
    if tens in (7, 9):
        rest += 10
    if n == 80:
        return f"quatre-vingt{plural}"
    if not rest:
        return FRENCH_TENS[tens]
    return f"{FRENCH_TENS[tens]}{' et ' if rest in (1, 11) and tens < 8 else '-'}{FRENCH[rest]}"


def _french_feminine(n: int) -> str:
    """Hours and minutes are feminine: une heure, vingt et une."""
    said = _french(n)
    return f"{said}e" if n % 10 == 1 and n % 100 not in (11, 71, 91) else said


def _french_hours(hours: int) -> str:
    return f"{_french_feminine(hours)} heure{'s' if hours > 1 else ''}"


def _french_time(hour: int, minute: int) -> str:
    side, minutes, hour = ("", minute, hour) if minute <= 30 else ("moins ", 60 - minute, hour + 1)
    quarters = {15: "le quart" if side else "et quart", 30: "et demie"}
    return f"{_french_hours(hour % 12 or 12)} {side}{quarters.get(minutes) or _french_feminine(minutes)}"
