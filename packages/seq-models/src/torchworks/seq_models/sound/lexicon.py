"""How words are pronounced: a small lexicon of its own, and pocketsphinx's dictionary where it is installed.

Pronunciations are in ARPAbet. A digit after a vowel marks stress (1 main, 2 secondary); where a word has no digit, its
first vowel has the stress.
"""

import functools
import re
from collections.abc import Mapping, Sequence

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.packaged import packaged_file

Pronunciation = tuple[str, ...]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_WORDS = """
zero Z IH1 R OW | Z IY1 R OW
one W AH N
two T UW
three TH R IY
four F AO R
five F AY V
six S IH K S
seven S EH1 V AH N
eight EY T
nine N AY N
oh OW
ten T EH N
eleven IH L EH1 V AH N
twelve T W EH L V
thirteen TH ER T IY1 N
fourteen F AO R T IY1 N
fifteen F IH F T IY1 N
sixteen S IH K S T IY1 N
seventeen S EH V AH N T IY1 N
eighteen EY T IY1 N
nineteen N AY N T IY1 N
twenty T W EH1 N T IY
thirty TH ER1 D IY
forty F AO1 R T IY
fifty F IH1 F T IY
sixty S IH1 K S T IY
seventy S EH1 V AH N T IY
eighty EY1 T IY
ninety N AY1 N T IY
hundred HH AH1 N D R AH D
thousand TH AW1 Z AH N D
million M IH1 L Y AH N
and AE N D
minus M AY1 N AH S
plus P L AH S
point P OY N T
half HH AE F
first F ER S T
second S EH1 K AH N D
third TH ER D
yes Y EH S
no N OW
on AA N
off AO F
up AH P
down D AW N
left L EH F T
right R AY T
stop S T AA P
go G OW
start S T AA R T
open OW1 P AH N
close K L OW Z
light L AY T
lights L AY T S
door D AO R
window W IH1 N D OW
music M Y UW1 Z IH K
play P L EY
turn T ER N
the DH AH | DH IY
a AH | EY
of AH V
to T UW
in IH N
is IH Z
it IH T
you Y UW
i AY
that DH AE T
he HH IY
she SH IY
was W AA Z
for F AO R
are AA R
with W IH DH
they DH EY
be B IY
at AE T
this DH IH S
have HH AE V
from F R AH M
or AO R
had HH AE D
by B AY
but B AH T
not N AA T
what W AH T
all AO L
were W ER
we W IY
when W EH N
your Y AO R
can K AE N
there DH EH R
use Y UW Z
each IY CH
which W IH CH
do D UW
how HH AW
their DH EH R
if IH F
will W IH L
other AH1 DH ER
about AH B AW1 T
many M EH1 N IY
then DH EH N
them DH EH M
some S AH M
her HH ER
would W UH D
make M EY K
like L AY K
him HH IH M
into IH1 N T UW
time T AY M
has HH AE Z
look L UH K
more M AO R
see S IY
way W EY
could K UH D
people P IY1 P AH L
my M AY
than DH AE N
water W AO1 T ER
been B IH N
call K AO L
who HH UW
now N AW
find F AY N D
long L AO NG
day D EY
did D IH D
get G EH T
come K AH M
made M EY D
may M EY
part P AA R T
hello HH AH L OW1
please P L IY Z
thank TH AE NG K
good G UH D
morning M AO1 R N IH NG
evening IY1 V N IH NG
night N AY T
today T AH D EY1
tomorrow T AH M AA1 R OW
monday M AH1 N D EY
tuesday T UW1 Z D IY
wednesday W EH1 N Z D IY
thursday TH ER1 Z D EY
friday F R AY1 D IY
saturday S AE1 T ER D IY
sunday S AH1 N D EY
january JH AE1 N Y UW EH R IY
february F EH1 B Y AH W EH R IY
march M AA R CH
april EY1 P R AH L
june JH UW N
july JH UW L AY1
august AO1 G AH S T
september S EH P T EH1 M B ER
october AA K T OW1 B ER
november N OW V EH1 M B ER
december D IH S EH1 M B ER
red R EH D
green G R IY N
blue B L UW
white W AY T
black B L AE K
yellow Y EH1 L OW
north N AO R TH
south S AW TH
east IY S T
west W EH S T
house HH AW S
street S T R IY T
bread B R EH D
milk M IH L K
coffee K AA1 F IY
cat K AE T
dog D AO G
bird B ER D
tree T R IY
book B UH K
boy B OY
girl G ER L
small S M AO L
big B IH G
old OW L D
new N UW
warm W AO R M
cold K OW L D
rain R EY N
snow S N OW
sun S AH N
wind W IH N D
very V EH1 R IY
measure M EH1 ZH ER
"""

_NUMBERS = {str(number): word for number, word in enumerate(DIGITS)}


@functools.cache
def lexicon() -> dict[str, tuple[Pronunciation, ...]]:
    """The pronunciations of each word of the own lexicon, the usual one first."""
    words = {}
    for line in _WORDS.strip().splitlines():
        word, text = line.split(maxsplit=1)
        words[word] = tuple(tuple(variant.split()) for variant in text.split(" | "))
    return words


@functools.cache
def dictionary() -> dict[str, tuple[Pronunciation, ...]]:
    """The 126,000 words of pocketsphinx's English dictionary, without stress. Raises `UserError` without it."""
    file = packaged_file(
        "pocketsphinx", "pocketsphinx/model/en-us/cmudict-en-us.dict", said="The pronunciations of further words lie",
        extra="seq-models[speech]", instead="phonemes in brackets: [HH AH L OW]", version="5.1 or later",
    )  # fmt: skip
    words: dict[str, tuple[Pronunciation, ...]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        word, *phonemes = line.split()
        name = re.sub(r"\(\d+\)$", "", word)
        words[name] = (*words.get(name, ()), tuple(phonemes))
    return words


def pronunciations(word: str) -> tuple[Pronunciation, ...]:
    """All pronunciations of a word, the usual one first. Raises `UserError` for an unknown word."""
    word = _NUMBERS.get(word, word)
    if found := lexicon().get(word):
        return found
    if found := dictionary().get(word):
        return found
    close = nearest(word, lexicon())
    raise UserError(
        f"No pronunciation of '{word}' is known.{close} Write its phonemes in brackets, as in [HH AH L OW1]."
    )


def words_and_phonemes(
    text: str, known: Mapping[str, Sequence[Pronunciation]] | None = None
) -> list[tuple[str, tuple[Pronunciation, ...]]]:
    """The words of a text with their pronunciations: `one [HH AH L OW1]`; `known` goes before the lexicon. Raises
    `UserError` for an unknown word, a bracket without its other and a text without words."""
    if set("[]") & set(re.sub(r"\[[^\[\]]*\]", "", text)):
        raise UserError(f"A bracket of '{text}' has no other one. Write phonemes in two, as in [HH AH L OW1].")
    found: list[tuple[str, tuple[Pronunciation, ...]]] = []
    for bracketed, word in re.findall(r"\[([^\]]*)\]|([^\s\[\]]+)", text.lower()):
        if bracketed:
            found.append((f"[{bracketed.upper()}]", (tuple(bracketed.upper().split()),)))
        elif name := word.strip('.,;:!?"()-'):
            found.append((name, tuple((known or {}).get(name, ())) or pronunciations(name)))
    if not found:
        raise UserError("There is nothing to say: the text has no words.")
    return found
