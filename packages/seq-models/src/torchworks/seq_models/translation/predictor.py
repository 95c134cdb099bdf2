"""A trained model of translation as it is used: the source's tokens to the logits of the answer's first, and further,
token by token.

A service turns a text into tokens by the tokenizer that is kept with the model, and tokens into text; it takes the
likeliest token each time unless a request says otherwise.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from torchworks.seq_models.data.token_stream import END
from torchworks.shared.models.generation import ChatTemplate
from torchworks.shared.text import from_json
from torchworks.shared.text.sampling import GREEDY

if TYPE_CHECKING:
    from torchworks.shared.models.generator import Generator

TOKENIZER = "tokenizer.json"
BUILDER = "seq-models-translation"


def build_translation(config: dict[str, Any], files: Mapping[str, bytes]) -> "Generator":
    """The generator of a model of translation, with new weights, from the `config` in `model.json` (its architecture,
    the most tokens of a text, its net) and the tokenizer in `files`.

    Builder "seq-models-translation"."""
    from torchworks.seq_models.generation.generators import attention_generator, encoder_decoder_generator
    from torchworks.seq_models.models.encoder_decoder import EncoderDecoder
    from torchworks.seq_models.models.seq2seq import AttentionSeq2Seq

    tokenizer = from_json(files[TOKENIZER])
    net = new_net(config["model"], config["net"], len(tokenizer))
    options: dict[str, Any] = {
        "end": tokenizer.special(END),
        "sampling": GREEDY,
        "block": config["longest"],
        "max_tokens": answer_limit(config["longest"]),
        "chat": ChatTemplate("{content}", "", ()),  # the message is the text to translate
    }
    if isinstance(net, EncoderDecoder):
        return encoder_decoder_generator(net, **options)
    return attention_generator(cast(AttentionSeq2Seq, net), **options)


def answer_limit(longest: int) -> int:
    """Most tokens of a translation, with the one that ends it."""
    return 2 * longest


def new_net(model: str, options: Mapping[str, Any], vocabulary: int) -> nn.Module:
    """The architecture `model` with `options` of a `NetConfig`, with new weights."""
    if model == "transformer":
        from torchworks.seq_models.models.transformer import Transformer

        sizes = {name: options[name] for name in ("embed_dim", "num_heads", "depth", "ff_dim", "drop_rate")}
        return Transformer(vocabulary, vocabulary, decoder_depth=options["depth"], activation="gelu", **sizes)
    from torchworks.seq_models.models.seq2seq import AttentionSeq2Seq

    sizes = {name: options[name] for name in ("embed_dim", "hidden_dim", "attention_dim", "drop_rate")}
    return AttentionSeq2Seq(vocabulary, vocabulary, kind=model, **sizes)  # ty: ignore[invalid-argument-type]
