"""A trained language model as it is used: texts to the logits of what comes next, and further, token by token.

A service turns a text into tokens by the tokenizer that is kept with the model, and tokens into text; the model itself
takes and gives tokens.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from torchworks.seq_models.data.token_stream import END
from torchworks.shared.text import from_json
from torchworks.shared.text.sampling import Sampling

if TYPE_CHECKING:
    from torchworks.shared.models.generator import Generator

TOKENIZER = "tokenizer.json"
TEMPERATURE = 0.8
"""Of a text that is asked for without one."""


def build_language_model(config: dict[str, Any], files: Mapping[str, bytes]) -> "Generator":
    """The generator of a language model, with new weights, from the `config` in `model.json` (its architecture, the
    most tokens it reads at once, the token after which it begins, its net) and the tokenizer in `files`.

    Builder "seq-models-language"."""
    from torchworks.seq_models.generation.generators import gpt_generator, recurrent_generator
    from torchworks.seq_models.models.gpt import GPT
    from torchworks.seq_models.models.recurrent_lm import RecurrentLM

    tokenizer = from_json(files[TOKENIZER])
    net = new_net(config["model"], config["net"], len(tokenizer), config["context"])
    end = tokenizer.special(END)
    options: dict[str, Any] = {"end": end if config["first"] == end else None, "sampling": Sampling(TEMPERATURE)}
    return (
        gpt_generator(net, **options)
        if isinstance(net, GPT)
        else recurrent_generator(cast(RecurrentLM, net), **options)
    )


def new_net(model: str, options: Mapping[str, Any], vocabulary: int, context: int) -> nn.Module:
    """The architecture `model` with `options` of a `NetConfig`, with new weights."""
    sizes = {"depth": options["depth"], "embed_dim": options["embed_dim"], "drop_rate": options["drop_rate"]}
    if model == "gpt":
        from torchworks.seq_models.models.gpt import GPT

        return GPT(vocabulary, context=context, num_heads=options["num_heads"], **sizes)
    from torchworks.seq_models.models.recurrent_lm import RecurrentLM

    return RecurrentLM(vocabulary, kind=model, hidden_dim=options["hidden_dim"], **sizes)
