"""The trained model that writes, as it is used: a generator, whose chat template makes the prompts.

A service turns a text into tokens by the tokenizer that is kept with the model, and tokens into text.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torchworks.seq_models.answering.writing_data import END, FORMS, MOST_WRITTEN
from torchworks.shared.config import UserError
from torchworks.shared.text import from_json
from torchworks.shared.text.sampling import GREEDY, Sampling

if TYPE_CHECKING:
    from torchworks.seq_models.models.gpt import GPT
    from torchworks.shared.models.generator import Generator

TOKENIZER = "tokenizer.json"
ROTARY_BASE, EMBEDDING_STD = 10_000.0, 0.1
REPLIES = Sampling(0.7, top_p=0.9)
"""How replies are drawn; answers and summaries are greedy."""


def build_writer(config: dict[str, Any], files: Mapping[str, bytes]) -> "Generator":
    """The generator with new weights, from the `config` in `model.json` (what it writes, most tokens, its net) and the
    tokenizer in `files`.

    Builders "seq-models-writing" and "seq-models-chat"."""
    from torchworks.seq_models.generation.generators import gpt_generator

    tokenizer, written = from_json(files[TOKENIZER]), config["written"]
    net = new_net(config["net"], len(tokenizer), config["context"])
    sampling = REPLIES if written == "reply" else GREEDY
    return gpt_generator(
        net, end=tokenizer.special(END), sampling=sampling, chat=FORMS[written].chat, max_tokens=MOST_WRITTEN
    )


def new_net(options: Mapping[str, Any], vocabulary: int, context: int) -> "GPT":
    """A GPT with the options of a `NetConfig` and rotary positions, with new weights: wider ones than GPT-2's, whose
    standard deviation of 0.02 is made for 768 channels. With it the attention of a small net begins almost even."""
    from torchworks.seq_models.models.gpt import GPT

    if options["embed_dim"] % (2 * options["num_heads"]):
        raise UserError(
            f"--net.embed-dim {options['embed_dim']} must be a multiple of twice --net.num-heads "
            f"{options['num_heads']}: each head has an equal share of it, an even number of channels."
        )
    sizes = {name: options[name] for name in ("depth", "embed_dim", "num_heads", "drop_rate")}
    net = GPT(vocabulary, context=context, rotary_base=ROTARY_BASE, **sizes)
    for name, parameter in net.named_parameters():
        if name.endswith(("c_attn.weight", "c_fc.weight")):
            parameter.data.normal_(std=options["embed_dim"] ** -0.5)
    net.transformer.wte.weight.data.normal_(std=EMBEDDING_STD)
    return net
