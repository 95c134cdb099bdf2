"""A trained language model as it is used: texts to the logits of what comes next.

A service turns a text into tokens by the tokenizer that is kept with the model; the model itself takes tokens.

Shape letters: N texts, T tokens, V tokens of the vocabulary.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

TOKENIZER = "tokenizer.json"


class LanguagePredictor(Predictor):
    """text, the ids of its tokens, int64 (N, T), padded at the end with 0 → logits (N, V) of the token after it."""

    def forward(self, *inputs: Tensor) -> Tensor:
        tokens = inputs[0]
        logits = self.net(tokens).float()  # (N, T, V): of the token after each; what follows a token does not change it
        last = ((tokens != 0).sum(1) - 1).clamp(min=0)
        return logits.gather(1, last[:, None, None].expand(-1, 1, logits.shape[2]))[:, 0]


def build_language_model(config: dict[str, Any], files: Mapping[str, bytes]) -> LanguagePredictor:
    """The predictor of a language model, with new weights, from the `config` in `model.json` (its architecture, the
    most tokens it reads at once, its net) and the tokenizer in `files`.

    Builder "seq-models-language"."""
    vocabulary = len(from_json(files[TOKENIZER]))
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1, pad=0)
    logits = TensorSpec("logits", "features", "float32", ("N", vocabulary))
    signature = Signature((text,), (logits,), most={"T": config["context"]})
    return LanguagePredictor(new_net(config["model"], config["net"], vocabulary, config["context"]), signature)


def new_net(model: str, options: Mapping[str, Any], vocabulary: int, context: int) -> nn.Module:
    """The architecture `model` with `options` of a `NetConfig`, with new weights."""
    sizes = {"depth": options["depth"], "embed_dim": options["embed_dim"], "drop_rate": options["drop_rate"]}
    if model == "gpt":
        from torchworks.seq_models.models.gpt import GPT

        return GPT(vocabulary, context=context, num_heads=options["num_heads"], **sizes)
    from torchworks.seq_models.models.recurrent_lm import RecurrentLM

    return RecurrentLM(vocabulary, kind=model, hidden_dim=options["hidden_dim"], **sizes)
