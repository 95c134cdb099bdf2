"""A classifier that begins with published weights: MiniLM's, with its tokenizer.

Trained whole, or `frozen`: the net's vectors of all texts are computed once, and a linear layer learns from those.

The weights come with the extra `minilm`, which a training needs. The run holds all that it needs itself.

Shape letters: N texts, T tokens, E size of a vector.
"""

import torch

from torchworks.seq_models.classification.config import ClassifierConfig
from torchworks.seq_models.models.minilm import load_minilm, minilm_tokenizer
from torchworks.seq_models.models.sentence_bert import SentenceBERTClassifier
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Schema, TensorDataset
from torchworks.shared.text import WordPiece

SIZES = {"embed_dim": 384, "depth": 6, "num_heads": 12, "ff_dim": 1536}
"""Of all-MiniLM-L6-v2, as in `NetConfig`."""
LONGEST = 512
"""Tokens that it has positions for."""
BATCH = 64
POSITIONS = "embeddings.position_embeddings.weight"


def check_options(config: ClassifierConfig) -> None:
    """Raises `UserError` for options that contradict --pretrained and --frozen."""
    if config.pretrained == "none":
        if config.frozen:
            raise UserError("--frozen keeps published weights as they are, so it needs --pretrained minilm.")
        return
    wanted = {"net.architecture": "sentence-bert", "tokenizer": "wordpiece"}
    wanted |= {f"net.{name}": str(size) for name, size in SIZES.items()}
    given = {name: str(getattr(config.net if "." in name else config, name.rpartition(".")[2])) for name in wanted}
    other = [f"--{name.replace('_', '-')} {given[name]}" for name in wanted if given[name] != wanted[name]]
    if other:
        raise UserError(
            f"--pretrained minilm does not go with {', '.join(other)}: its net is a sentence-bert of fixed sizes, its "
            "tokenizer a wordpiece. Use the recipe classify-minilm, with any --data, and leave these as they are."
        )
    if config.longest > LONGEST:
        raise UserError(f"--longest is {config.longest}, but MiniLM reads {LONGEST} tokens at most.")


def minilm_parts(config: ClassifierConfig, num_classes: int) -> tuple[SentenceBERTClassifier, WordPiece]:
    """The net with the published weights and a new last layer, and the tokenizer. Positions beyond the `longest` text
    are left out. Raises `UserError` if the weights are not installed."""
    published, _ = load_minilm()
    tokenizer = minilm_tokenizer()
    sizes = {**SIZES, "longest": config.longest, "drop_rate": config.net.drop_rate}
    net = SentenceBERTClassifier(len(tokenizer), num_classes, **sizes)
    state = {name: value for name, value in published.state_dict().items() if not name.startswith("pooler.")}
    state[POSITIONS] = state[POSITIONS][: config.longest]
    net.bert.load_state_dict(state)
    return net, tokenizer


@torch.no_grad()
def as_vectors(net: SentenceBERTClassifier, dataset: TensorDataset, device: torch.device) -> TensorDataset:
    """The samples of `dataset`, tokens (N, T), with a field `vector` instead, float32 (N, E). Texts of similar length
    are computed together."""
    net.to(device).eval()
    lengths = dataset.tensors["tokens_length"]
    vectors = torch.empty(len(dataset), net.bert.embed_dim)
    for places in lengths.argsort(stable=True).split(BATCH):
        tokens = dataset.tensors["tokens"][places, : int(lengths[places].max())]
        vectors[places] = net.vectors(tokens.to(device)).float().cpu()
    schema = Schema((Field("vector", "series", vectors.shape[1:]), dataset.schema["label"]))
    return TensorDataset({"vector": vectors, "label": dataset.tensors["label"]}, schema)
