"""The recipes of answering. Their docstrings are what `list` prints."""

from torchworks.seq_models.answering.config import ChatConfig, NetConfig, SpanConfig, WritingConfig, WritingNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def answer() -> SpanConfig:
    """Answers to questions, cut out of a text, or that the text does not say.

    seq-models train answer

    Facts, 1,000 test questions about people and towns that training has not, a quarter of them without an answer; three
    seeds: exact match 98.1 ± 0.5 %, 98.2 ± 1.3 % of what is not in the text recognized; a search for words with
    patterns of values 55.3 ± 4.2 %, always "not in the text" 24.7 ± 1.6 %, the first sentence 0.0 %; 245 to 270 s of
    CPU time (torch 2.14.1, one core of an AMD EPYC, Zen 2). The kind of positions was chosen on 400 of seed 0's.
    """
    return SpanConfig(
        recipe="answer",
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1200, batch_size=32, eval_every=200, clip=1.0),
        net=NetConfig(drop_rate=0.0),
    )


def answer_generated() -> WritingConfig:
    """Answers to questions about a text, written by a pointer-generator.

    seq-models train answer-generated

    Facts, 1,000 test questions about people and towns that training has not, a quarter of them without an answer;
    three seeds: exact match 98.9 ± 0.5 %, 98.4 ± 0.9 % of what is not in the text recognized; a search for words with
    patterns of values 55.3 ± 4.2 %, always "not in the text" 24.7 ± 1.6 %, the first sentence 0.0 %; 241 to 260 s of
    CPU time (torch 2.14.1, one core of an AMD EPYC, Zen 2).
    """
    return WritingConfig(
        recipe="answer-generated",
        written="answer",
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1000, batch_size=32, eval_every=200, clip=1.0),
        net=WritingNetConfig(drop_rate=0.0),
    )


def summarise() -> WritingConfig:
    """Summaries of a text's extreme values, written by a pointer-generator.

    seq-models train summarise

    Facts, 1,000 test texts about people and towns that training has not, three seeds: 98.0 ± 0.4 % of the summaries are
    right as a whole (both extremes, names and numbers), ROUGE-L 99.8 %; the sentences with the extreme numbers 34.6 ±
    0.5 %, the first sentence 19.9 ± 0.2 %; 245 to 290 s of CPU time (torch 2.14.1, one core of an AMD EPYC, Zen 2).
    """
    return WritingConfig(
        recipe="summarise",
        written="summary",
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1000, batch_size=32, eval_every=200, clip=1.0),
        net=WritingNetConfig(drop_rate=0.0),
    )


def chat() -> ChatConfig:
    """Replies to messages: found among those of conversations, or written by a GPT.

    seq-models train chat

    Three seeds: of 792 training messages in other words, the right one is found first for 95.1 ± 1.0 % (TF-IDF of
    characters), for 91.4 ± 0.6 % by TF-IDF of words, 90.8 ± 0.3 % by BM25, 11.3 ± 1.0 % by looking up the very words.
    What is written where nothing is found is poor: 700 turns are too few to learn English from.
    """
    return ChatConfig(
        recipe="chat",
        vocabulary=1024,
        context=128,
        text_weight=0.2,
        valid_fraction=0.1,
        optim=OptimConfig(lr=1e-3, schedule="cosine", warmup=50),
        trainer=TrainerConfig(steps=300, batch_size=16, eval_every=50, clip=1.0),
        net=WritingNetConfig(depth=2, drop_rate=0.2),
    )
