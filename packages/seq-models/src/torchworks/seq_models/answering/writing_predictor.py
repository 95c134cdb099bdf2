"""The trained model that writes, as it is used: a generator, whose chat template makes the prompts.

A service turns a text into tokens by the tokenizer that is kept with the model, and tokens into text.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from torchworks.seq_models.answering.writing_data import END, FORMS, MOST_WRITTEN
from torchworks.shared.config import UserError
from torchworks.shared.text import Tokenizer, from_json
from torchworks.shared.text.sampling import GREEDY, Sampling

if TYPE_CHECKING:
    from torch import nn

    from torchworks.seq_models.models.gpt import GPT
    from torchworks.seq_models.models.pointer_generator import PointerGenerator
    from torchworks.shared.models.generator import Generator

TOKENIZER = "tokenizer.json"
ROTARY_BASE, EMBEDDING_STD = 10_000.0, 0.1
REPLIES = Sampling(0.7, top_p=0.9)
"""How replies are drawn; answers and summaries are greedy."""


def build_writer(config: dict[str, Any], files: Mapping[str, bytes]) -> "Generator":
    """The generator with new weights, from the `config` in `model.json` (what it writes, its architecture, most tokens,
    its net) and the tokenizer in `files`.

    Builders "seq-models-writing" and "seq-models-chat"."""
    from torchworks.seq_models.generation.generators import gpt_generator, pointer_generator

    tokenizer, written = from_json(files[TOKENIZER]), config["written"]
    net = new_net(config, tokenizer)
    options: dict[str, Any] = {
        "end": tokenizer.special(END),
        "sampling": REPLIES if written == "reply" else GREEDY,
        "chat": FORMS[written].chat,
        "max_tokens": MOST_WRITTEN,
        "copies_numbers": config.get("whole_numbers", False),  # runs from before it go on as they did
    }
    if _architecture(config) == "gpt":
        return gpt_generator(cast("GPT", net), **options)
    return pointer_generator(cast("PointerGenerator", net), block=config["context"], **options)


def new_net(config: Mapping[str, Any], tokenizer: Tokenizer) -> "nn.Module":
    """The net with new weights, from the `config` in `model.json`."""
    options = config["net"]
    if options["embed_dim"] % (2 * options["num_heads"]):
        raise UserError(
            f"--net.embed-dim {options['embed_dim']} must be a multiple of twice --net.num-heads "
            f"{options['num_heads']}: each head has an equal share of it, an even number of channels."
        )
    if _architecture(config) == "gpt":
        return new_gpt(options, len(tokenizer), config["context"])
    return new_pointer_generator(options, tokenizer, matching="question" in FORMS[config["written"]].needed)


def _architecture(config: Mapping[str, Any]) -> str:
    return config.get("architecture", "gpt")  # once there was no other


def new_pointer_generator(options: Mapping[str, Any], tokenizer: Tokenizer, *, matching: bool) -> "PointerGenerator":
    """A pointer-generator with the options of a `WritingNetConfig`. Answers begin after `<end>`, prompts are read by
    lines, and with `matching`, the last but one is the question."""
    from torchworks.seq_models.models.pointer_generator import PointerGenerator

    end, (separator,) = tokenizer.special(END), tokenizer.encode("\n")
    assert end is not None
    names = ("depth", "decoder_depth", "embed_dim", "num_heads", "ff_dim", "drop_rate")
    sizes = {name: options[name] for name in names}
    return PointerGenerator(len(tokenizer), begin=end, separator=separator, matching=matching, **sizes)


def new_gpt(options: Mapping[str, Any], vocabulary: int, context: int) -> "GPT":
    """A GPT with the options of a `WritingNetConfig` and rotary positions, with wider new weights than GPT-2's, whose
    standard deviation of 0.02 is made for 768 channels. With it the attention of a small net begins almost even."""
    from torchworks.seq_models.models.gpt import GPT

    sizes = {name: options[name] for name in ("depth", "embed_dim", "num_heads", "drop_rate")}
    net = GPT(vocabulary, context=context, rotary_base=ROTARY_BASE, **sizes)
    for name, parameter in net.named_parameters():
        if name.endswith(("c_attn.weight", "c_fc.weight")):
            parameter.data.normal_(std=options["embed_dim"] ** -0.5)
    net.transformer.wte.weight.data.normal_(std=EMBEDDING_STD)
    return net
