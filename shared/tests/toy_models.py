"""Two toys whose trained models are saved whole, as packages do: a recommender of ids, and a classifier of texts.

Shape letters: N rows, T tokens, U users, I items, D numbers of an embedding, R items recommended.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.shared.data import BucketOrder, Field, ResidentLoader, Schema, Source, TensorDataset, pad_to_longest
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Out, Task
from torchworks.shared.text import Words, from_json
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.optim import adam

EMPTY = TensorDataset({"x": torch.empty(0)})
FORMULA = Source("formula", "none needed: made by a formula", EMPTY, EMPTY, Schema(()), "formula")

# ---- ids -----------------------------------------------------------------------------------------------------

USERS, ITEMS, RECOMMENDED = 24, 30, 3
NAMES = tuple(f"item {i}" for i in range(ITEMS))


def liked(user: int) -> list[int]:
    """The five items that a user likes; the first of them is for testing."""
    return [6 * ((user + i) % 5) + user % 6 for i in range(5)]


def pairs(part: slice) -> TensorDataset:
    """A user and an item that the user likes, (N,) each."""
    rows = torch.tensor([(user, item) for user in range(USERS) for item in liked(user)[part]])
    schema = Schema((Field("user", "id", size=USERS, shape=()), Field("item", "id", size=ITEMS, shape=())))
    return TensorDataset({"user": rows[:, 0].contiguous(), "item": rows[:, 1].contiguous()}, schema)


class Factors(nn.Module):
    """How much a user (N,) likes an item (N,): the inner product of their embeddings, (N,)."""

    def __init__(self, dim: int = 8):
        super().__init__()
        self.users, self.items, self.mix = nn.Embedding(USERS, dim), nn.Embedding(ITEMS, dim), nn.Linear(dim, dim)

    def table(self) -> Tensor:
        """The embeddings of all items, (I, D)."""
        return self.mix(self.items.weight)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return (self.users(user) * self.mix(self.items(item))).sum(-1)


class Recommender(Task):
    """Bayesian personalized ranking (Rendle et al. 2009, arXiv:1205.2618): an item that a user likes scores more than
    another, −log σ(s_ui − s_uj). Every evaluation ranks all items but those of the training."""

    watch, watch_mode = "ndcg", "max"

    def __init__(self) -> None:
        self.model = Factors()
        self.passes = 0

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return adam(self.model, lr=0.05)

    def loss(self, phase, batch):
        user, other = batch["user"], self.random.integers(ITEMS, len(batch["user"]))
        both = self.model(user.repeat(2), torch.cat([batch["item"], other]))
        better, worse = both.unflatten(0, (2, -1))
        return Out(-F.logsigmoid(better - worse).mean())

    def begin_evaluation(self):
        self.table = self.model.table()
        self.passes += 1

    def evaluate(self, batch):
        scores = ranked(self.model.users(batch["user"]) @ self.table.T, batch["user"], SEEN)
        above = (scores > scores.gather(1, batch["item"][:, None])).sum(1)
        return {"ndcg": ((1 / (above + 2).log2()).sum(), len(above))}


SEEN = torch.zeros(USERS, ITEMS, dtype=torch.bool).index_put(
    tuple(pairs(slice(1, None)).tensors.values()), torch.tensor(True)
)
"""Whether a pair of a user and an item is in the training, (U, I)."""


def ranked(scores: Tensor, user: Tensor, seen: Tensor) -> Tensor:
    """Scores (N, I) by which items are ranked: those of the training last."""
    return scores.masked_fill(seen[user], -1e4)


class Recommendations(Predictor):
    """user (N,) → the items to recommend, best first, and their scores, (N, R) each."""

    seen: Tensor

    def __init__(self, net: nn.Module, signature: Signature, seen: Tensor):
        super().__init__(net, signature)
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        (user,) = inputs
        best = ranked(self.net.users(user) @ self.net.table().T, user, self.seen).topk(RECOMMENDED)
        return best.indices, best.values


def build_recommendations(config: dict) -> Recommendations:
    """Builder "toy-recommendations"."""
    user = TensorSpec("user", "label", "int64", ("N",), low=0, high=USERS - 1)
    item = TensorSpec(
        "item", "label", "int64", ("N", RECOMMENDED), low=0, high=ITEMS - 1, labels=tuple(config["names"])
    )
    score = TensorSpec("score", "features", "float32", ("N", RECOMMENDED))
    return Recommendations(Factors(), Signature((user,), (item, score)), torch.tensor(config["seen"]))


def recommender(config, device) -> Experiment:
    """The experiment of the recipe `ids`."""
    task, (train, test) = Recommender(), (pairs(part) for part in (slice(1, None), slice(0, 1)))
    place = {"seed": config.seed, "rank": device.rank, "world": device.world}
    scored = ResidentLoader(test, 10, train=False)
    model = TrainedModel(
        builder="toy-recommendations",
        config={"names": list(NAMES), "seen": SEEN.tolist()},
        net=task.model,
        labels=NAMES,
        test=test,
        inputs={"user": "user"},
        preprocessing={},
    )
    loader = ResidentLoader(train, config.trainer.batch_size, **place)
    return Experiment(task, loader, scored, scored, (FORMULA,), (model,))


# ---- texts ---------------------------------------------------------------------------------------------------

WEATHER = ("rain", "sun")


def weather(n: int = 300) -> tuple[list[str], Tensor]:
    """Texts of 1 to 9 words, and whether more of them are of the sun than of the rain."""
    texts = []
    for i in range(n):
        signs = [(i * i + 3 * i * j + j * j * j) % 7 for j in range(1 + 2 * (i % 5))]
        texts.append(" ".join(("rain", "wet", "cloud", "sun", "warm", "rain", "sun")[sign] for sign in signs))
    right = [sum(word in ("sun", "warm") for word in text.split()) * 2 > len(text.split()) for text in texts]
    return texts, torch.tensor(right).long()


def tokenized(texts: list[str], labels: Tensor, tokenizer: Words) -> TensorDataset:
    tokens, lengths = pad_to_longest([torch.tensor(tokenizer.encode(text)) for text in texts])
    field = Field("text", "tokens", (9,), vocabulary=len(tokenizer), ragged=True)
    return TensorDataset(
        {"text": tokens, "text_length": lengths, "label": labels}, Schema((field, Field("label", "label", (), WEATHER)))
    )


class Mean(nn.Module):
    """Tokens (N, T) and how many of them count (N,) → logits (N, 2) by the mean of their embeddings."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.embedding, self.classifier = nn.Embedding(vocabulary, 8), nn.Linear(8, 2)

    def forward(self, tokens: Tensor, length: Tensor) -> Tensor:
        counts = torch.arange(tokens.shape[1], device=tokens.device) < length[:, None]  # (N, T)
        mean = (self.embedding(tokens) * counts[..., None]).sum(1) / length[:, None]
        return self.classifier(mean)


class WeatherTask(Task):
    watch, watch_mode = "accuracy", "max"

    def __init__(self, vocabulary: int) -> None:
        self.model = Mean(vocabulary)

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return adam(self.model, lr=0.05)

    def loss(self, phase, batch):
        return Out(F.cross_entropy(self.model(batch["text"], batch["text_length"]).float(), batch["label"]))

    def evaluate(self, batch):
        logits = self.model(batch["text"], batch["text_length"])
        return {"accuracy": ((logits.argmax(1) == batch["label"]).float().sum(), len(logits))}


class WeatherPredictor(Predictor):
    """text (N, T), length (N,) → weather (N, 2)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(*inputs).float().softmax(1)


def build_weather(config: dict, files: dict[str, bytes]) -> WeatherPredictor:
    """Builder "toy-weather"."""
    vocabulary = len(from_json(files["words.json"]))
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    answer = TensorSpec("weather", "label", "float32", ("N", 2), low=0, high=1, labels=WEATHER)
    return WeatherPredictor(Mean(vocabulary), Signature((text, length), (answer,), {"T": config["longest"]}))


def forecaster(config, device) -> Experiment:
    """The experiment of the recipe `texts`."""
    texts, labels = weather()
    tokenizer = Words.train(texts[:240])
    parts = (slice(240), slice(240, None))
    train, test = (tokenized(texts[part], labels[part], tokenizer) for part in parts)
    size, place = config.trainer.batch_size, (config.seed, device.rank, device.world)
    order = BucketOrder(len(train), size, *place, lengths=train.tensors["text_length"], pool=3)
    task, scored = WeatherTask(len(tokenizer)), ResidentLoader(test, 50, train=False)
    model = TrainedModel(
        builder="toy-weather",
        config={"longest": 9},
        net=task.model,
        labels=WEATHER,
        test=test,
        inputs={"text": "text", "length": "text_length"},
        targets={"weather": "label"},
        preprocessing={"text": {"tokenizer": "words.json"}},
        files={"words.json": tokenizer.to_json()},
    )
    return Experiment(task, ResidentLoader(train, size, order=order), scored, scored, (FORMULA,), (model,))
