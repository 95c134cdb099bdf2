"""From a configuration to an experiment of a language model: text, tokens, net, task, baselines, and the model to
save."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from torchworks.seq_models.data.documents import Document, cut, documents_of
from torchworks.seq_models.data.token_stream import (
    END,
    SlidingWindows,
    characters_of,
    token_stream,
    train_tokenizer,
)
from torchworks.seq_models.language.baselines import baselines, best_order, continuations
from torchworks.seq_models.language.config import LanguageConfig
from torchworks.seq_models.language.functions import function_heads, parsed_share
from torchworks.seq_models.language.looking_back import look_back
from torchworks.seq_models.language.predictor import TOKENIZER, new_net
from torchworks.seq_models.language.task import LanguageModeling
from torchworks.seq_models.language.text import Beginning, sampler, write
from torchworks.seq_models.models.gpt import GPT
from torchworks.shared.data import Field, Schema, TensorDataset, WindowDataset, Windows, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.text import Tokenizer
from torchworks.shared.text.sampling import Sampling
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 32
MOST_STARTS = 1 << 26
"""Places where training windows may begin: everywhere in a text that has no more tokens."""
KEPT = 256
"""Prompts from the test part that are kept with the model."""


@dataclass(frozen=True)
class Text:
    """The three parts of a text: documents, and their tokens, uint8 or larger (T,)."""

    tokenizer: Tokenizer
    documents: dict[str, list[Document]]
    tokens: dict[str, np.ndarray]


def build(config: LanguageConfig, device: Device) -> Experiment:
    """A language model of the text of a source. Raises `UserError` for data without text, or with too little."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("text")
    text = divided(documents_of(source.train), documents_of(source.test), config)
    tokenizer, tokens = text.tokenizer, text.tokens
    net = new_net(config.model, dataclasses.asdict(config.net), len(tokenizer), config.context)
    if isinstance(net, GPT):
        look_back(net)
    beginning = Beginning.of(tokenizer, len(text.documents["train"]))
    task = LanguageModeling(
        net,
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        muon_lr=config.muon_lr,
        characters=characters_of(tokenizer),
        sample=sampler(beginning, config.sample_length, config.temperature),
    )
    select, test = (
        SlidingWindows(tokens[name], config.context, EVALUATION_BATCH, device.device) for name in ("valid", "test")
    )
    return Experiment(
        task=task,
        train=training_windows(tokens["train"], config, device),
        select=select,
        test=test,
        sources=(source,),
        models=(_model(config, net, beginning, tokens["test"]),),
        baselines=lambda: {**compared(text, config), **functions(text, net, config)},
    )


def divided(train: list[Document], test: list[Document], config: LanguageConfig) -> Text:
    """The parts of a text. The tokenizer knows the training part alone; of the others as much is taken as is scored."""
    rest, held = cut(train, config.valid_fraction)
    tokenizer = train_tokenizer(rest, config.tokens, config.vocabulary)
    documents = {"train": rest, "valid": held, "test": test}
    most = {"train": None, "valid": config.most_scored // 10 + 1, "test": config.most_scored + 1}
    tokens = {name: token_stream(part, tokenizer)[: most[name]] for name, part in documents.items()}
    config.check_length(len(tokens["train"]), "tokens")
    return Text(tokenizer, documents, tokens)


def training_windows(tokens: np.ndarray, config: LanguageConfig, device: Device) -> Windows:
    """Windows that begin anywhere in the text; of a very long text, at every few tokens."""
    return Windows(
        tokens,
        config.context,
        config.trainer.batch_size,
        stride=-(-len(tokens) // MOST_STARTS),
        seed=config.seed,
        device=device.device,
        rank=device.rank,
        world=device.world,
    )


def compared(text: Text, config: LanguageConfig) -> dict[str, float]:
    """The scores of the baselines on the tokens of the test part."""
    train, test = text.tokens["train"], text.tokens["test"]
    return baselines(train, test, text.tokenizer, config.order)


def functions(text: Text, net: nn.Module, config: LanguageConfig) -> dict[str, float]:
    """The share of functions of the test part that parse, with bodies by the net, and by the n-gram model of the order
    that is best for the validation part."""
    heads = function_heads(text.documents["test"], config.functions)
    if not heads:
        return {}
    tokenizer, tokens = text.tokenizer, text.tokens
    sampling, end = Sampling(config.temperature), tokenizer.special(END)
    order = best_order(tokens["train"], tokens["valid"], tokenizer, config.order)
    by_counts = continuations(tokens["train"], len(tokenizer), order, sampling, end)
    by_net = parsed_share(heads, tokenizer, lambda prompts, steps: write(net, prompts, steps, sampling, 0, end))
    return {
        "functions_parsed": by_net,
        f"functions_parsed_{order}_gram": parsed_share(heads, tokenizer, by_counts),
        "n_functions": len(heads),
    }


def _model(config: LanguageConfig, net: nn.Module, beginning: Beginning, tokens: np.ndarray) -> TrainedModel:
    return TrainedModel(
        builder="seq-models-language",
        config={
            "model": config.model,
            "context": config.context,
            "first": beginning.first,
            "net": dataclasses.asdict(config.net),
        },
        net=net,
        test=_kept(tokens, config.context, len(beginning.tokenizer)),
        inputs={"text": "tokens", "length": "length"},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: beginning.tokenizer.to_json()},
    )


def _kept(tokens: np.ndarray, context: int, vocabulary: int) -> TensorDataset:
    """Prompts from the test part, evenly spread, half as long as the model reads, so that texts can follow."""
    length = max(1, min(context // 2, len(tokens) - 1))
    windows = WindowDataset(np.asarray(tokens), length, max(1, len(tokens) // KEPT))
    found = windows.take(torch.arange(len(windows)))["tokens"]
    fields = (
        Field("tokens", "tokens", (length,), vocabulary=vocabulary),
        Field("length", "id", (), size=length + 1),
    )
    return TensorDataset({"tokens": found, "length": torch.full((len(found),), length)}, Schema(fields))
