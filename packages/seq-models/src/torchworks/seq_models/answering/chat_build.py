"""From a configuration to an experiment of a model that replies: the parts that writing has, and the replies of the
training conversations, among which one is looked for first."""

import json
import random
from collections.abc import Sequence

import numpy as np

from torchworks.seq_models.answering.config import ChatConfig
from torchworks.seq_models.answering.metrics import rouge_l
from torchworks.seq_models.answering.retrieval import Index, Kind, retrieval_scores, reworded
from torchworks.seq_models.answering.writing_build import divided, writing_experiment
from torchworks.seq_models.data.questions import Row
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment

CONVERSATIONS = "conversations.json"
KIND: Kind = "characters"
MOST_REWORDED = 1000
"""Messages by which replies that are found are scored."""


def build(config: ChatConfig, device: Device) -> Experiment:
    """A model that replies to messages. Raises `UserError` for data without messages and replies."""
    parts = divided(config)
    rows = [*parts.train, *parts.valid]
    messages = [row.text for row in rows]
    content = json.dumps([[row.text, row.reply] for row in rows], ensure_ascii=False, indent=0)
    threshold = threshold_of(messages, config.found_share, config.seed)

    def baselines(test: Sequence[Row]) -> dict[str, float]:
        some = messages[:MOST_REWORDED]
        scores = retrieval_scores(some, [random.Random(f"test {config.seed} {i}") for i in range(len(some))])
        return {**scores, "rouge_l_found": found_rouge(rows, test), "threshold": threshold}

    return writing_experiment(
        config, device, parts, "seq-models-chat", baselines=baselines,
        files={CONVERSATIONS: content.encode()}, options={"threshold": threshold, "index": KIND},
    )  # fmt: skip


def threshold_of(messages: Sequence[str], share: float, seed: int) -> float:
    """The similarity that `share` of the messages, reworded, have at least to what is most like them: below it, nothing
    known is meant. They are reworded otherwise than for the scores."""
    some = messages[:MOST_REWORDED]
    asked = [reworded(each, random.Random(f"train {seed} {i}")) for i, each in enumerate(some)]
    best = Index(messages, KIND).similarities(asked).max(1)
    return float(np.quantile(best, 1 - share))


def found_rouge(known: Sequence[Row], test: Sequence[Row]) -> float:
    """ROUGE-L of the replies to the most similar known messages, for messages that are not known."""
    nearest = Index([row.text for row in known], KIND).similarities([row.text for row in test]).argmax(1)
    return float(np.mean([rouge_l(known[i].reply, row.reply) for i, row in zip(nearest, test, strict=True)]))
