#!/usr/bin/env bash
# WordPieceTrainer of tokenizers learns different vocabularies from the same text, within one process too.
#
# Versions: tokenizers 0.23.3, Python 3.11.
# Expected: nothing in this training is drawn at random, so the same lines give the same vocabulary, as BpeTrainer does.
# Seen:     ids of the pieces that continue a word change from training to training, and pairs of equal counts are merged
#           in the order of the ids: other pieces come out, and one text is cut differently. A model that was trained with
#           one vocabulary reads nonsense with the other, so the file must be kept: it cannot be made again.
# Output:   BPE: 20 trainings, 1 vocabulary
#           WordPiece: 20 trainings, several vocabularies, which cut one word in several ways
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

WORDS = "stranger strange range orange change hanger anger danger garden warden harden".split()
LINES = [" ".join(WORDS[i * k % len(WORDS)] for k in range(1, 6)) for i in range(200)]


def trained(model, trainer):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(LINES, trainer)
    pieces = tokenizer.get_vocab()
    return tuple(sorted(pieces, key=pieces.get)), tuple(tokenizer.encode("hardangered").tokens)


bpe = [trained(models.BPE(), trainers.BpeTrainer(vocab_size=60, show_progress=False)) for _ in range(20)]
options = {"vocab_size": 60, "special_tokens": ["[UNK]"], "show_progress": False}
pieces = [trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(**options)) for _ in range(20)]

print("BPE: 20 trainings,", len({vocabulary for vocabulary, _ in bpe}), "vocabulary")
print("WordPiece: 20 trainings,", len({vocabulary for vocabulary, _ in pieces}), "vocabularies, which cut one word so:")
for cut in sorted({cut for _, cut in pieces}):
    print("   ", *cut)
assert len({vocabulary for vocabulary, _ in bpe}) == 1, "the behavior of BPE has changed"
assert len({vocabulary for vocabulary, _ in pieces}) > 1, "the behavior of WordPiece has changed"
assert len({cut for _, cut in pieces}) > 1, "the texts are cut alike now"
PYTHON
