"""A generator is one graph for prompts and steps, its state can be kept row by row, and it is saved as any model."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from tiny_generators import BLOCK, GPT_SPEC, D, V, tiny_gpt, tiny_gru

from torchworks.shared.config import UserError, from_dict, to_dict
from torchworks.shared.models import predictor as predict
from torchworks.shared.models.generation import (
    ChatTemplate,
    GenerationSpec,
    RowStates,
    StateSpec,
    greedy,
    replay,
)
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import check_golden, load_predictor, save_model
from torchworks.shared.testing_generation import check_generator

TINY = {"gpt": tiny_gpt, "gru": tiny_gru}


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_one_exported_graph_reads_prompts_and_steps_as_the_plain_forward_does(name):
    check_generator(TINY[name]())  # float32, 1e-4 of the largest logit


@pytest.mark.parametrize("name", TINY)
def test_one_graph_reads_prompts_and_steps_as_the_plain_forward_does(name):
    check_generator(TINY[name](), export=False)


def test_a_generator_whose_state_is_wrong_is_found():
    generator = tiny_gpt()
    forward = generator.forward
    generator.forward = lambda *inputs: (forward(*inputs)[0], 1.1 * forward(*inputs)[1])

    with pytest.raises(AssertionError, match="differs from the plain forward"):
        check_generator(generator, export=False)


@pytest.mark.parametrize("name", TINY)
def test_rows_that_join_and_leave_go_on_as_if_they_were_alone(name):
    generator = TINY[name]()
    advance, spec = generator.advance, generator.generation
    prompts = [np.array([[2, 3, 4]]), np.array([[5]]), np.array([[6, 7, 8, 9, 10]])]
    alone = [greedy(advance, spec, prompt, np.array([prompt.shape[1]]), 8)[0][0].tolist() for prompt in prompts]
    states, rows, found = RowStates(spec), [], {0: [], 1: [], 2: []}

    for step in range(12):
        if step < 3:  # one more joins
            joining = RowStates(spec, 1)
            length = np.array([prompts[step].shape[1]])
            outputs = advance({"tokens": prompts[step], "length": length} | joining.inputs())
            joining.extend(outputs, length)
            states.append(joining)
            rows.append(step)
            found[step].append(int(outputs["logits"][0].argmax()))
        tokens = np.array([[found[row][-1]] for row in rows])
        outputs = advance({"tokens": tokens, "length": np.ones(len(rows), np.int64)} | states.inputs())
        states.extend(outputs, np.ones(len(rows), np.int64))
        for row, logits in zip(rows, outputs["logits"], strict=True):
            found[row].append(int(logits.argmax()))
        for place in [place for place, row in enumerate(rows) if len(found[row]) == 8][::-1]:
            states.remove(place)
            rows[place] = rows[-1]
            rows.pop()
        if not rows:
            break

    assert [found[row][:8] for row in range(3)] == alone
    assert states.rows == 0


def test_what_a_row_leaves_behind_does_not_reach_the_next_one_in_its_place():
    states, spec = RowStates(GPT_SPEC, 1), GPT_SPEC
    bad = {"new_past": np.full((1, 2, 5, D), np.nan, np.float32)}
    states.extend(bad, np.array([5]))
    states.remove(0)
    fresh = RowStates(spec, 1)
    fresh.extend({"new_past": np.ones((1, 2, 2, D), np.float32)}, np.array([2]))

    states.append(fresh)

    assert np.isfinite(states.inputs()["past"]).all()
    assert states.inputs()["past_length"].tolist() == [2]


def test_rooms_for_tokens_grow_and_shrink_with_the_longest_row():
    states = RowStates(GPT_SPEC, 2)
    states.extend({"new_past": np.ones((2, 2, 200, D), np.float32)}, np.array([200, 3]))
    assert states.places == 256
    states.remove(0)
    assert states.places == RowStates.STEP
    assert states.inputs()["past"][0, :, :3].all()


def save(folder: Path, generator) -> None:
    save_model(
        folder, generator, package="toy", recipe="toy", builder="toy", config={},
        golden={"text": torch.tensor([[2, 3, 0], [4, 5, 6]]), "length": torch.tensor([2, 3])},
    )  # fmt: skip


@pytest.mark.parametrize("name", TINY)
def test_a_saved_generator_replays_a_prompt_and_two_steps(name, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "find_builder", lambda name_, package: lambda config: TINY[name](seed=1))
    save(tmp_path, TINY[name]())

    assert check_golden(tmp_path) == pytest.approx(0, abs=1e-6)
    assert read_manifest(tmp_path).generation == TINY[name]().generation
    inputs = {"text": torch.tensor([[2, 3, 9]]), "length": torch.tensor([3])}
    torch.testing.assert_close(load_predictor(tmp_path).predict(inputs), TINY[name]().predict(inputs))


def test_a_generator_that_reads_its_steps_differently_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "find_builder", lambda name, package: lambda config: broken)
    broken = tiny_gpt()
    save(tmp_path, tiny_gpt())
    forward = broken.forward
    broken.forward = lambda *inputs: (forward(*inputs)[0], 2 * forward(*inputs)[1])

    with pytest.raises(UserError, match=r"does not replay its golden example: 'steps\.logits'"):
        check_golden(tmp_path)


def test_a_model_of_before_generation_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "find_builder", lambda name, package: lambda config: tiny_gpt())
    save(tmp_path, tiny_gpt())
    values = json.loads((tmp_path / "model.json").read_text())
    del values["generation"]
    (tmp_path / "model.json").write_text(json.dumps(values))

    assert read_manifest(tmp_path).generation is None


def test_a_spec_is_plain_data():
    spec = GenerationSpec((StateSpec("past", ("N", 2, "P", D)),), block=BLOCK, chat=ChatTemplate(stop=("x",)))
    assert from_dict(GenerationSpec, json.loads(json.dumps(to_dict(spec)))) == spec


@pytest.mark.parametrize("shape", [("M", 3), (3, "P"), ("N", "P", "P"), ("N", "Q")])
def test_a_state_of_another_shape_is_refused(shape):
    with pytest.raises(UserError, match=r"must have the shape \(N, …\)"):
        StateSpec("past", shape)


def test_an_answer_takes_no_room_from_its_prompt():
    past = (StateSpec("past", ("N", 2, "P", D)),)
    continues, answers = GenerationSpec(past, block=40), GenerationSpec(past, block=40, answers=True)
    assert (continues.longest_prompt, continues.room(30)) == (40, 10)
    assert (answers.longest_prompt, answers.room(30)) == (40, None)
    assert (GenerationSpec(past).longest_prompt, GenerationSpec(past).room(30)) == (None, None)


def test_answers_without_a_state_that_grows_are_refused():
    with pytest.raises(UserError, match="by `past_length` it knows whether a row has read its prompt"):
        GenerationSpec((StateSpec("h", ("N", D)),), answers=True)


def test_replay_gives_the_logits_after_each_token():
    generator = tiny_gpt()
    text = torch.tensor([[2, 3, 4, 5]])
    found = replay(generator.advance, GPT_SPEC, text[:, :2].numpy(), np.array([2]), text[:, 2:].numpy())
    wanted = generator.net(text)[:, 1:].detach().numpy()
    assert found.shape == (1, 3, V)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_conversation_becomes_one_text_in_which_no_content_is_taken_for_the_template():
    chat = ChatTemplate()
    assert chat.prompt([("user", "Hi {role}!"), ("assistant", "{content}")]) == (
        "user: Hi {role}!\nassistant: {content}\nassistant:"
    )
