"""What the commands of recommendation do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.data.interactions import TEST, TRAIN, Catalogue, events_of
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.hybrid_multimodal.recommendation import comparison
from torchworks.hybrid_multimodal.recommendation.baselines import check_size, ease, standardized
from torchworks.hybrid_multimodal.recommendation.commands import Recommend, Similar
from torchworks.hybrid_multimodal.recommendation.config import RecommendationConfig
from torchworks.hybrid_multimodal.recommendation.metrics import NAMES, marked
from torchworks.hybrid_multimodal.recommendation.predictor import (
    BUILDER,
    CATALOGUE,
    MOST,
    RecommendationPredictor,
    Recommender,
)
from torchworks.hybrid_multimodal.recommendation.rows import Divided, numbers_as_rows
from torchworks.hybrid_multimodal.recommendation.scoring import item_scores, item_vectors
from torchworks.hybrid_multimodal.recommendation.titles import Titles
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data import LoaderFactory, open_source
from torchworks.shared.data.listing import some
from torchworks.shared.machine.device import choose
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import open_run
from torchworks.shared.runs.outputs import prepare

REASONS = 2
"""Items that are named as speaking for a recommended one."""
WIDTH = 42


@dataclass(frozen=True)
class Model:
    """A finished run of recommendation, opened for use."""

    folder: Path
    config: RecommendationConfig
    predictor: RecommendationPredictor
    catalogue: Catalogue
    share_of_ease: float

    @property
    def net(self) -> Recommender:
        return cast(Recommender, self.predictor.net)

    @cached_property
    def titles(self) -> Titles:
        return Titles(self.catalogue, self.net.counts.tolist())

    @cached_property
    def divided(self) -> Divided:
        """The run's own events. Raises `UserError` if they have changed since."""
        source = open_source(self.config.data, self.config.loader, self.config.seed)
        recorded = json.loads((self.folder / "env.json").read_text())["data"][0]["fingerprint"]
        if source.fingerprint != recorded:
            raise UserError(
                f"The data of {self.folder}, {self.config.data}, have changed. Put them back, or train again."
            )
        return Divided.of(*events_of(source))

    @cached_property
    def ease(self) -> Tensor:
        """EASE's weights of the training part, (I + 1, I + 1)."""
        check_size(len(self.catalogue.items))
        return ease(self.divided.matrix(TRAIN))

    def user(self, token: str) -> int:
        """Raises `UserError` that names the nearest."""
        users = self.catalogue.users
        if token not in users:
            raise UserError(
                f"There is no user '{token}' in the data of {self.folder}.{nearest(token, users)} Users: "
                f"{some(list(users), 5)}. For somebody else name titles by --liked."
            )
        return users.index(token) + 1

    def genre(self, name: str) -> int:
        """Raises `UserError` that names all."""
        names = self.catalogue.genre_names
        known = {each.casefold(): number for number, each in enumerate(names, 1)}
        if name.casefold() not in known:
            listed = f"Genres: {', '.join(names)}." if names else "The data name no genres."
            raise UserError(f"There is no genre '{name}'.{nearest(name, names)} {listed}")
        return known[name.casefold()]

    @torch.no_grad()
    def scores(self, user: int, had: Sequence[Sequence[int]]) -> Tensor:
        """The net's scores (N, I + 1) for lists of items that a user had; the number 0 is a stranger."""
        rows = numbers_as_rows(had)
        return self.predictor.scores(torch.full((len(rows),), user), rows)

    def ease_scores(self, had: Sequence[Sequence[int]]) -> Tensor:
        """EASE's, (N, I + 1)."""
        return marked(numbers_as_rows(had), len(self.ease)).float() @ self.ease


def open_model(folder: Path) -> Model:
    """Raises `UserError` for a run of another kind."""
    run = open_run(folder, "hybrid-multimodal", "cpu")
    manifest = read_manifest(folder)
    if manifest.builder != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe} and recommends nothing. Use a run of `recommend` or "
            "of another recipe of recommendation."
        )
    catalogue = Catalogue.from_json(read_files(folder)[CATALOGUE])
    share = float(manifest.config.get("share_of_ease", 0.0))
    config, predictor = cast(RecommendationConfig, run.config), cast(RecommendationPredictor, run.predictor)
    return Model(folder, config, predictor, catalogue, share)


# ---- recommend -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What is asked for, as numbers: the user or 0, the items that the user had, the oldest first, and those that may
    not be recommended, bool (I + 1,)."""

    user: int
    had: list[int]
    left_out: Tensor
    count: int


def recommend(arguments: Recommend) -> int:
    """Print two lists: that of the model with reasons, and that of EASE."""
    model = open_model(arguments.run)
    asked = _asked(model, arguments)
    ours = model.scores(asked.user, [asked.had])
    if arguments.blend:
        if not model.share_of_ease:
            raise UserError(
                f"{arguments.run} has no mixture with EASE: the recipe looks for none, or EASE did not help on the "
                "validation part. Leave --blend out."
            )
        share = model.share_of_ease
        ours = (1 - share) * standardized(ours) + share * standardized(model.ease_scores([asked.had]))
    best = _best(ours[0], asked)
    print(_heading(model, asked, arguments))
    if not best:
        raise UserError("Nothing is left to recommend. Leave out --only, or exclude less.")
    reasons = _reasons(model, asked, best, arguments.blend)
    _print(model, best, reasons)
    try:
        weights = model.ease
    except UserError as error:
        print(f"\nWithout EASE beside: {error}")
        return 0
    theirs = _best(model.ease_scores([asked.had])[0], asked)
    print(f"\nEASE, without training; {len({*best} & {*theirs})} of these {len(theirs)} stand above")
    _print(model, theirs, [_most(weights[asked.had, item], asked.had) for item in theirs])
    return 0


def _asked(model: Model, arguments: Recommend) -> Asked:
    """Raises `UserError` for users, titles and genres that there are not."""
    check_number("-n", arguments.n, 1, MOST)
    if arguments.user is None and not arguments.liked:
        raise UserError(
            'Say for whom: --user NAME for a user of the data, or --liked "TITLE" "TITLE" … for somebody else.'
        )
    user = 0 if arguments.user is None else model.user(arguments.user)
    liked = [model.titles.number(title) for title in arguments.liked]
    history = model.net.history[user]
    had = list(dict.fromkeys([*history[history > 0].tolist(), *liked]))
    excluded = [model.titles.number(title) for title in arguments.exclude]
    left_out = marked(numbers_as_rows([[*had, *excluded]]), len(model.net.counts))[0]
    left_out[0] = True
    if arguments.only is not None:
        left_out |= ~model.predictor.of_genre[model.genre(arguments.only)]
    return Asked(user, had, left_out, arguments.n)


def _best(scores: Tensor, asked: Asked) -> list[int]:
    """The items with the largest scores (I + 1,), the best first."""
    scores = scores.masked_fill(asked.left_out, -torch.inf)
    values, items = scores.topk(min(asked.count, len(scores) - 1))
    return items[values > -torch.inf].tolist()


def _reasons(model: Model, asked: Asked, best: list[int], blend: bool) -> list[list[int]]:
    """For each recommended item those that the user had and that speak most for it: without them its standardized score
    falls most. The model is asked as for a stranger, so that also one with a vector for each user goes by the items."""
    if len(asked.had) < 2:
        return [list(asked.had)] * len(best)
    histories = [asked.had, *([each for each in asked.had if each != item] for item in asked.had)]
    scores = standardized(torch.cat([model.scores(0, histories[i : i + 128]) for i in range(0, len(histories), 128)]))
    if blend:
        share = model.share_of_ease
        scores = (1 - share) * scores + share * standardized(model.ease_scores(histories))
    return [_most(scores[0, item] - scores[1:, item], asked.had) for item in best]


def _most(shares: Tensor, had: list[int]) -> list[int]:
    """The items with the largest positive shares (T,)."""
    values, places = shares.topk(min(REASONS, len(had)))
    return [had[place] for value, place in zip(values.tolist(), places.tolist(), strict=True) if value > 0]


def _heading(model: Model, asked: Asked, arguments: Recommend) -> str:
    catalogue = model.catalogue
    who = f"user {arguments.user}" if arguments.user else "somebody"
    last = [catalogue.shown(item) for item in asked.had[-3:]]
    rest = f" and {len(asked.had) - 3} more" if len(asked.had) > 3 else ""
    by = "the mixture with EASE" if arguments.blend else model.config.recipe
    return f"For {who} who had {'; '.join(last)}{rest}, by {by}:"


def _print(model: Model, items: list[int], reasons: list[list[int]]) -> None:
    """A line for each item."""
    shown = model.catalogue.shown
    for rank, (item, why) in enumerate(zip(items, reasons, strict=True), 1):
        because = f"because you liked {'; '.join(_short(shown(each)) for each in why)}" if why else ""
        print(f"{rank:>3}. {_short(shown(item)):<{WIDTH}} {because}".rstrip())


def _short(title: str) -> str:
    """The title in `WIDTH` characters, with the year."""
    if len(title) <= WIDTH:
        return title
    head, paren, year = title.rpartition(" (")
    return f"{head[: WIDTH - len(year) - 4]}… ({year}" if paren else f"{title[: WIDTH - 1]}…"


# ---- similar ---------------------------------------------------------------------------------------------


def similar(arguments: Similar) -> int:
    """Print what the model recommends to whoever likes one item, and EASE's nearest."""
    check_number("-n", arguments.n, 1, MOST)
    model = open_model(arguments.run)
    item = model.titles.number(arguments.title)
    left_out = torch.zeros(len(model.net.counts), dtype=torch.bool)
    left_out[[0, item]] = True
    asked = Asked(0, [item], left_out, arguments.n)
    vectors = F.normalize(item_vectors(model.net.net).detach(), dim=1)
    print(f"Most like {model.catalogue.shown(item)}, by the vectors of {model.config.recipe} (cosine):")
    _print_alike(model, vectors @ vectors[item], asked)
    print("\nBy the weights of EASE:")
    _print_alike(model, model.ease[item], asked)
    return 0


def _print_alike(model: Model, likeness: Tensor, asked: Asked) -> None:
    for rank, item in enumerate(_best(likeness, asked), 1):
        print(f"{rank:>3}. {_short(model.catalogue.shown(item)):<{WIDTH}} {likeness[item]:.3f}")


# ---- evaluate --------------------------------------------------------------------------------------------


@torch.no_grad()
def evaluate(arguments: Evaluate) -> int:
    """Print and write the scores of the model, beside those of recommenders without training."""
    model = open_model(arguments.run)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    divided = model.divided
    candidates = divided.candidates(TEST)
    batches = list(LoaderFactory(model.config, choose("cpu", "fp32", "off")).ordered(divided.tested(TEST)))
    scorers = comparison.classical(divided)
    ours: comparison.Scorer = lambda batch: item_scores(model.net.net, batch["user"], batch["items"])  # noqa: E731
    if model.share_of_ease:
        scorers["blend"] = comparison.mixed(ours, scorers["ease"], model.share_of_ease)
    scorers[model.config.recipe] = ours
    table = {name: comparison.measured(scorer, batches, candidates) for name, scorer in scorers.items()}
    print(f"{'':<14}" + "".join(f"{name.removesuffix('_at_10'):>10}" for name in NAMES))
    for name, scores in sorted(table.items(), key=lambda pair: pair[1][NAMES[0]]):
        print(f"{name:<14}" + "".join(f"{scores[each]:>10.4f}" for each in NAMES))
    protocol = comparison.protocol(divided, candidates)
    print(f"\n{protocol}")
    write_json(folder / "evaluation.json", {"protocol": protocol, "scores": table})
    print(folder)
    return 0
