#!/usr/bin/env bash
# num2words writes German thousands that end in one with an s too many: "einhunderteinstausend" for 101,000.
#
# Versions: num2words 0.5.14, Python 3.11.
# Expected: 101,000 is "einhunderteintausend" in German, as 1,000 is "eintausend": before "tausend" the one loses its s.
# Seen:     1,000, 21,000 and 100,000 are right; 101,000, 201,000, 301,000 … keep the s, with no error. Whoever checks
#           a speller of his own, or makes training pairs of numbers and words, learns one wrong word in a hundred.
# Output:   one line for each number, and "wrong: 9 of the 9 numbers x01,000"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check num2words==0.5.14
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from num2words import num2words

for number in (1_000, 21_000, 100_000, 101_000, 201_000):
    print(f"{number:7} {num2words(number, lang='de')}")
assert num2words(1_000, lang="de") == "eintausend"
assert num2words(21_000, lang="de") == "einundzwanzigtausend"
hundreds = [number * 100_000 + 1_000 for number in range(1, 10)]
wrong = [number for number in hundreds if num2words(number, lang="de").endswith("einstausend")]
print("wrong:", len(wrong), "of the", len(hundreds), "numbers x01,000")
assert wrong == hundreds, "the behavior has changed"
PYTHON
