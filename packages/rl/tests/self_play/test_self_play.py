"""Games against oneself: what is learnt from, exact continuation, masks, the table of strength, play in a terminal."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.rl.commands import COMMANDS
from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_matches import match
from torchworks.rl.environments.games.four_opponents import at_random
from torchworks.rl.environments.games.four_search import search
from torchworks.rl.models.board_net import BoardNet
from torchworks.rl.self_play.build import build
from torchworks.rl.self_play.config import BoardGameConfig, BoardNetConfig, SelfPlayConfig
from torchworks.rl.self_play.games import Games
from torchworks.rl.self_play.looking import SHARPNESS, look_ahead
from torchworks.rl.self_play.players import judge_of, player_of
from torchworks.rl.self_play.positions import Positions
from torchworks.rl.self_play.predictor import build_board
from torchworks.shared.cli import main
from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import choose
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.trainer import Trainer

CPU = choose("cpu", "fp32", "off")
SMALL = SelfPlayConfig(boards=8, search=4, warmup=30, updates=2, capacity=300)
TRAIN = [
    "--trainer.batch-size", 16, "--trainer.device", "cpu", "--trainer.precision", "fp32", "--net.channels", 4,
    "--net.blocks", 1, "--play.boards", 8, "--play.search", 3, "--play.warmup", 30,
]  # fmt: skip


def rl(*words: object) -> int:
    return main("rl", default="ppo", commands=COMMANDS, arguments=[str(word) for word in words])


def small_net(seed: int = 0) -> BoardNet:
    torch.manual_seed(seed)
    return BoardNet(3, rules.ROWS, rules.COLUMNS, channels=4, blocks=1)


def games(net: BoardNet, **options) -> Games:
    config = replace(SMALL, **options)
    return Games(net, Positions(config.capacity), config, CPU, batch_size=16, seed=0)


def positions(count: int, moves: int) -> tuple[np.ndarray, np.ndarray]:
    """After `moves` random moves, whether the game has ended or not."""
    random, own, both = np.random.default_rng(0), np.zeros(count, np.int64), np.zeros(count, np.int64)
    for _ in range(moves):
        own, both = rules.drop(own, both, at_random(own, both, random))
    return own, both


# ---- the net -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moves", [3, 20, 36])
def test_what_the_net_is_given_of_the_rules_is_so(moves):
    own, both = positions(60, moves)
    found = small_net().threats(torch.from_numpy(rules.planes(own, both))[:, :2])
    for side, stones in enumerate((own, own ^ both)):
        wanted = (rules.threats(stones, both)[:, None, None] >> rules.SHIFTS) & 1
        assert np.array_equal(found[:, side].numpy(), wanted)


def test_a_full_column_is_never_chosen_whatever_the_weights():
    own, both = positions(300, 38)
    seen, legal = torch.from_numpy(rules.planes(own, both)), rules.legal(both)
    assert legal.sum() < 900
    for seed in range(3):
        predictor = build_board({"game": "connect-four", "net": {"channels": 4, "blocks": 1}})
        torch.manual_seed(seed)
        for parameter in predictor.parameters():
            torch.nn.init.normal_(parameter, std=2.0)
        out = predictor.predict({"observation": seen})
        assert legal[np.arange(len(own)), out["action"]].all()
        assert (out["probability"].numpy()[~legal] == 0).all()
    full = predictor.predict({"observation": torch.from_numpy(rules.planes(*positions(4, 42)))})
    assert all(torch.isfinite(value).all() for value in full.values())


# ---- what is learnt from --------------------------------------------------------------------------------------


def test_values_of_a_finished_game_are_its_outcome_as_each_side_sees_it():
    ours = games(small_net(), outcome=1.0, capacity=5_000)
    for _ in range(60):
        ours._move()
    kept, lengths = ours.positions, ours.lengths
    assert lengths
    end = 0
    for length in lengths:
        own, both, value = (part[end : end + length].numpy() for part in (kept.own, kept.both, kept.value))
        assert [int(each).bit_count() for each in both] == list(range(length))
        assert set(np.abs(value).tolist()) in ({0.0}, {1.0})
        assert np.array_equal(value[1:], -value[:-1])
        assert value[-1] in (0, 1)
        assert (rules.won(own) == 0).all()
        end += length
    shares = kept.shares[:end]
    torch.testing.assert_close(shares.sum(1), torch.ones(end))
    assert (shares.numpy()[~rules.legal(kept.both[:end].numpy())] == 0).all()


def test_half_of_what_is_drawn_is_mirrored_with_its_moves():
    kept, (own, both) = Positions(10), positions(1, 9)
    shares = torch.tensor([[0.4, 0.3, 0.1, 0.1, 0.1, 0.0, 0.0]])
    kept.add(torch.from_numpy(own), torch.from_numpy(both), shares, torch.tensor([0.5]))
    drawn = kept.draw(torch.tensor([[0.0, 0.1], [0.0, 0.9]]))
    plain = torch.from_numpy(rules.planes(own, both))
    assert torch.equal(drawn["observation"], torch.cat([plain.flip(3), plain]))
    assert torch.equal(drawn["shares"], torch.cat([shares.flip(1), shares]))


def test_a_look_ahead_is_what_the_net_thinks_of_the_positions_that_follow():
    own, both = positions(60, 12)
    net = small_net()
    with torch.no_grad():
        probability, value = look_ahead(net, torch.from_numpy(rules.planes(own, both)))
        for i in np.flatnonzero((rules.won(own ^ both) | rules.won(own)) == 0).tolist():
            logits, _ = net(torch.from_numpy(rules.planes(own[i : i + 1], both[i : i + 1])))
            scores, worth = torch.full((7,), -1e9), torch.zeros(7)
            for column in np.flatnonzero(rules.legal(both[i : i + 1])[0]).tolist():
                theirs, stones = rules.drop(own[i : i + 1], both[i : i + 1], column)
                worth[column] = -net(torch.from_numpy(rules.planes(theirs, stones)))[1][0]
                scores[column] = logits.log_softmax(1)[0, column]
                if rules.won(theirs ^ stones)[0]:
                    worth[column], scores[column] = 1.0, scores[column] + 1000
                elif (rules.threats(theirs, stones) & rules.playable(stones))[0]:
                    worth[column], scores[column] = -1.0, scores[column] - 1000
            wanted = (scores + SHARPNESS * worth).softmax(0)
            torch.testing.assert_close(probability[i], wanted, atol=1e-4, rtol=0)
            assert value[i].item() == pytest.approx((wanted * worth).sum().item(), abs=1e-4)


def test_many_trees_grow_as_each_would_alone():
    own, both = positions(6, 7)
    net = small_net()
    together = search(own, both, judge_of(net, CPU), 20)
    for i in range(len(own)):
        alone = search(own[i : i + 1], both[i : i + 1], judge_of(net, CPU), 20)
        np.testing.assert_allclose(alone.shares[0], together.shares[i], atol=1e-4)


# ---- training ---------------------------------------------------------------------------------------------------


def test_a_loader_goes_on_exactly_from_its_state():
    net = small_net()
    whole, other = games(net), games(net)
    batches = whole.iter_from(0)
    for _ in range(31):
        next(batches)
    other.load_state_dict(whole.state_dict())
    other.positions.load_state_dict(whole.positions.state_dict())
    again = other.iter_from(31)
    for _ in range(20):
        a, b = next(batches), next(again)
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert whole.lengths == other.lengths


@pytest.mark.slow
def test_a_little_training_beats_chance():
    trainer = TrainerConfig(steps=150, batch_size=64, device="cpu", precision="fp32")
    play = replace(SMALL, boards=32, search=8, warmup=200, capacity=4_000, updates=3)
    config = BoardGameConfig(
        net=BoardNetConfig(channels=8, blocks=1), play=play, optim=OptimConfig(lr=5e-3), trainer=trainer
    )
    torch.manual_seed(0)
    experiment = build(config, CPU)
    Trainer(experiment.task, experiment.train, None, trainer, optim=config.optim).fit()
    assert match(player_of(judge_of(experiment.task.net, CPU)), at_random, range(60)).share > 0.75


@pytest.mark.slow
def test_a_killed_training_ends_like_a_whole_one_bit_for_bit(tmp_path: Path):
    words = [*TRAIN, "--trainer.steps", 40, "--trainer.log-every", 1, "--trainer.checkpoint-every", 3]
    command = ["-m", "torchworks.rl", "train", "connect-four", *words, "--trainer.eval-every", 0]
    killed_and_resumed([str(word) for word in command], tmp_path)


def test_other_environments_are_refused():
    with pytest.raises(UserError, match="Use the recipe ppo or dqn"):
        BoardGameConfig(data="CartPole-v1")


# ---- finished runs ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Tiny finished runs."""
    folder = tmp_path_factory.mktemp("runs")
    few = ["--trainer.steps", 2, "--trainer.eval-every", 0, "--trainer.device", "cpu"]
    assert rl("train", "connect-four", *few, *TRAIN, "--out", folder / "four") == 0
    rollout = ["--rollout.environments", 4, "--rollout.steps", 8, "--trainer.batch-size", 16]
    assert rl("train", "ppo", *few, *rollout, "--out", folder / "ppo") == 0
    return {"four": folder / "four", "ppo": folder / "ppo"}


def played(words: list[object], text: str, monkeypatch, capsys) -> tuple[int, str]:
    """The exit code and what is printed if a person enters `text`."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    capsys.readouterr()
    code = rl("play", *words)
    return code, capsys.readouterr().out


def test_a_person_plays_takes_back_and_is_told_of_wrong_columns(runs, monkeypatch, capsys):
    code, said = played([runs["four"], "--advice"], "4\nu\nx\n9\nu\n4\nq\n", monkeypatch, capsys)
    assert code == 0
    assert said.count("the agent takes column") == 2
    assert "the agent would take column" in said
    for words in ("'x' is no column", "'9' is no column", "no move of yours", "The game ends here."):
        assert words in said
    assert "X" not in said.partition("no move of yours")[0].rpartition("'9' is no column")[2]


def test_a_game_is_played_to_its_end_whatever_is_entered(runs, monkeypatch, capsys):
    words = [runs["four"], "--begins", "agent", "--search", 8]
    code, said = played(words, "1\n2\n3\n4\n5\n6\n7\n" * 20, monkeypatch, capsys)
    assert code == 0
    assert said.splitlines()[-1] in ("You have won.", "The agent has won.", "A draw.")


def test_the_end_of_the_input_ends_the_game(runs, monkeypatch, capsys):
    assert played([runs["four"]], "4\n", monkeypatch, capsys)[0] == 0


def test_other_environments_are_played_step_by_step_beside_the_agent(runs, monkeypatch, capsys):
    code, said = played([runs["ppo"]], "right\nup\n0 1\n\nq\n", monkeypatch, capsys)
    assert code == 0
    assert "your action (the agent: " in said
    assert "'up' is no action. Enter 0 (left), 1 (right)" in said
    assert "It ends here, with a return of 4 in 4 steps." in said
    code, said = played([runs["ppo"]], "1 " * 600, monkeypatch, capsys)
    assert code == 0
    assert "The episode is over" in said


def test_strength_is_a_table_of_opponents(runs, monkeypatch, capsys):
    monkeypatch.setattr("torchworks.rl.self_play.use.OPPONENTS", ("random", "minimax-2"))
    assert rl("evaluate", runs["four"], "--episodes", 4, "--search", 3) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if line[0] == "against"]
    assert [row[1] for row in rows] == ["random", "minimax-2"] * 4
    assert all(sum(map(int, row[2:5])) == 4 for row in rows)


def test_a_film_of_a_game_is_written(runs, tmp_path, capsys):
    assert rl("watch", runs["four"], "--out", tmp_path / "game.gif") == 0
    with Image.open(tmp_path / "game.gif") as film:
        assert film.size == (320, 308)
        assert film.n_frames > 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["play", "RUN", "--search", "-1"], "--search is -1"),
        (["play", "nowhere"], "nowhere"),
        (["train", "connect-four", "--data", "CartPole-v1"], "Use the recipe ppo or dqn"),
        (["train", "connect-four", "--play.warmup", "100000"], "smaller warm-up"),
    ],
)
def test_mistakes_get_a_paragraph(runs, words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rl(*[str(runs["four"]) if word == "RUN" else word for word in words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
