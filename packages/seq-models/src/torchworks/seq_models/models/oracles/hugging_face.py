"""GPT, BERT and T5 beside those of the library transformers, in small, with random weights and no dropout."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from torchworks.seq_models.models import bert, gpt, t5
from torchworks.seq_models.models.oracles.torch_attention import real_of
from torchworks.seq_models.models.parity import Comparison, Sizes
from torchworks.shared.testing import randomize

VOCABULARY, LONGEST = 41, 24


def gpt2() -> Comparison:
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LONGEST,
        n_layer=2,
        n_embd=16,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    ours = gpt.GPT(**gpt.options_of(config.to_dict()))
    return Comparison(
        "transformers.GPT2LMHeadModel",
        On(ours, lambda net, tokens: net(tokens)),
        On(randomize(transformers.GPT2LMHeadModel(config)), lambda net, tokens: net(input_ids=tokens).logits),
        make=lambda sizes: (tokens_of(sizes, "T"),),
        axes=({0: "N", 1: "T"},),
        key_map=name_in(ours),
    )


def bert_model() -> Comparison:
    """Hidden states and pooled vectors of rows padded at their end."""
    config = bert_config()
    ours = bert.BERT(**bert.options_of(config.to_dict()))
    return of_texts(
        "BertModel", ours, transformers.BertModel(config), _hidden_and_pooled, _references_hidden_and_pooled
    )


def bert_masked_lm() -> Comparison:
    config = bert_config()
    ours = bert.BERTForMaskedLM(**bert.options_of(config.to_dict()))
    theirs = transformers.BertForMaskedLM(config)

    def logits(net: Any, tokens: Tensor, real: Tensor, segments: Tensor) -> Tensor:
        return net(tokens, real, segments) * real[:, :, None]

    return of_texts("BertForMaskedLM", ours, theirs, logits, partial(_references_logits, by_token=True))


def bert_classification() -> Comparison:
    config = bert_config(num_labels=3)
    ours = bert.BERTForClassification(num_classes=3, **bert.options_of(config.to_dict()))
    theirs = transformers.BertForSequenceClassification(config)

    def logits(net: Any, tokens: Tensor, real: Tensor, segments: Tensor) -> Tensor:
        return net(tokens, real, segments)

    return of_texts("BertForSequenceClassification", ours, theirs, logits, _references_logits)


def bert_question_answering() -> Comparison:
    config = bert_config()
    ours = bert.BERTForQuestionAnswering(**bert.options_of(config.to_dict()))
    theirs = transformers.BertForQuestionAnswering(config)

    def logits(net: Any, tokens: Tensor, real: Tensor, segments: Tensor) -> Tensor:
        return net(tokens, real, segments) * real[:, :, None]

    def reference(net: Any, tokens: Tensor, real: Tensor, segments: Tensor) -> Tensor:
        found = net(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments)
        return torch.stack([found.start_logits, found.end_logits], 2) * real[:, :, None]

    return of_texts("BertForQuestionAnswering", ours, theirs, logits, reference)


def t5_relu() -> Comparison:
    return of_t5("T5", feed_forward_proj="relu")


def t5_gated() -> Comparison:
    return of_t5("T5 1.1", feed_forward_proj="gated-gelu", tie_word_embeddings=False)


# ------------------------------------------------------------------------------------------------------- pieces


def bert_config(**options: Any) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=LONGEST,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **options,
    )


def of_texts(name: str, ours: nn.Module, theirs: nn.Module, call: Callable, reference_call: Callable) -> Comparison:
    """Two BERTs that read tokens, some padded, of two segments."""
    return Comparison(
        f"transformers.{name}",
        On(ours, call),
        On(randomize(theirs), reference_call),
        make=lambda sizes: (tokens_of(sizes, "T"), real_of(sizes, "T"), tokens_of(sizes, "T", high=2)),
        axes=({0: "N", 1: "T"},) * 3,
        key_map=name_in(ours),
    )


def of_t5(name: str, **options: Any) -> Comparison:
    """Two T5s that read a source, some of it padded, and what was answered so far."""
    options |= {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    config = transformers.T5Config(
        vocab_size=VOCABULARY,
        d_model=16,
        d_kv=6,
        d_ff=20,
        num_layers=2,
        num_decoder_layers=3,
        num_heads=2,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=10,
        dropout_rate=0.0,
        **options,
    )
    ours = t5.T5(**t5.options_of(config.to_dict()))

    def reference(net: Any, source: Tensor, target: Tensor, real: Tensor) -> Tensor:
        return net(input_ids=source, decoder_input_ids=target, attention_mask=real.long()).logits

    return Comparison(
        f"transformers.T5ForConditionalGeneration ({name})",
        On(ours, lambda net, source, target, real: net(source, target, real)),
        On(randomize(transformers.T5ForConditionalGeneration(config)), reference),
        make=lambda sizes: (tokens_of(sizes, "R"), tokens_of(sizes, "T"), real_of(sizes, "R")),
        axes=({0: "N", 1: "R"}, {0: "N", 1: "T"}, {0: "N", 1: "R"}),
        key_map=name_in(ours),
        fp64_tol=1e-6,  # theirs computes norms in float32
    )


class On(nn.Module):
    """`call` on a net, as a module whose inputs are tensors. What the reference holds under several names stays one
    parameter when weights are loaded."""

    def __init__(self, net: nn.Module, call: Callable):
        super().__init__()
        self.net, self.call = net, call

    def forward(self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> Any:
        return self.call(self.net, *(each for each in (first, second, third) if each is not None))

    def named_buffers(self, *args: Any, **options: Any) -> Iterator[tuple[str, Tensor]]:
        """Those that are kept with the weights."""
        kept = self.state_dict().keys()
        return ((name, value) for name, value in super().named_buffers(*args, **options) if name in kept)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        result = super().load_state_dict(state_dict, strict, assign)
        tied = getattr(self.net, "_tied_weights_keys", None) or {}
        for alias, name in tied.items():
            owner, _, attribute = alias.rpartition(".")
            setattr(self.net.get_submodule(owner), attribute, self.net.get_parameter(name))
        return result


def name_in(ours: nn.Module) -> Callable[[str], str]:
    """From the reference's name of a tensor to the one it has in ours."""
    tied = getattr(ours, "tied", {})

    def rename(key: str) -> str:
        key = key.removeprefix("net.")
        return f"net.{tied.get(key, key)}"

    return rename


def tokens_of(sizes: Sizes, length: str, high: int = VOCABULARY) -> Tensor:
    """Random tokens, int64 (N, T)."""
    generator = torch.Generator().manual_seed(sizes[length])
    return torch.randint(0, high, (sizes["N"], sizes[length]), generator=generator)


def _hidden_and_pooled(net: Any, tokens: Tensor, real: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    hidden = net(tokens, real, segments)
    return hidden * real[:, :, None], net.pooled(hidden)


def _references_hidden_and_pooled(net: Any, tokens: Tensor, real: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    found = net(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments)
    return found.last_hidden_state * real[:, :, None], found.pooler_output


def _references_logits(net: Any, tokens: Tensor, real: Tensor, segments: Tensor, *, by_token: bool = False) -> Tensor:
    logits = net(input_ids=tokens, attention_mask=real.long(), token_type_ids=segments).logits
    return logits * real[:, :, None] if by_token else logits
