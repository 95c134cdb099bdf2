"""Checks of the exercises of lesson 26."""

import torch

from torchworks.lessons.checking import expect, expect_close


def discounted_returns(answer):
    for rewards, discount, last, wanted, why in (
        ([1.0, 1.0, 1.0], 1.0, 0.0, [3.0, 2.0, 1.0], "without a discount: how many steps are left"),
        ([0.0, 0.0, 1.0], 0.5, 0.0, [0.25, 0.5, 1.0], "a reward counts half a step earlier"),
        ([2.0, 0.0, 4.0], 0.5, 0.0, [3.0, 2.0, 4.0], "2 + 0.5 * 2, and 2 is 0 + 0.5 * 4"),
        ([1.0, 1.0], 0.5, 8.0, [3.5, 5.0], "the value 8 follows the last step, discounted once"),
        ([], 0.9, 5.0, [], "an episode without a step has no return"),
    ):
        given = answer(list(rewards), discount, last)
        expect(isinstance(given, list), f"expected a list, got a {type(given).__name__}; is a `return` missing?")
        expect(len(given) == len(wanted), f"expected a return for each of {len(wanted)} steps, got {len(given)}")
        hint = f"rewards {rewards}, discount {discount}, last value {last}: expected {wanted}; {why}."
        expect_close(torch.tensor(given, dtype=torch.float64), torch.tensor(wanted, dtype=torch.float64), hint)


def q_target(answer):
    reward = torch.tensor([1.0, 1.0, 1.0, 0.0])
    next_q = torch.tensor([[2.0, 4.0], [2.0, 4.0], [2.0, 4.0], [-3.0, -1.0]], requires_grad=True)
    terminated = torch.tensor([False, True, False, False])
    truncated = torch.tensor([False, False, True, False])
    given = answer(reward, next_q, terminated, truncated, 0.5)
    wanted = torch.tensor([3.0, 1.0, 3.0, -0.5])
    hint = (
        "Step 0 goes on: 1 + 0.5 * 4. Step 1 terminated: 1. Step 2 was cut off, so that the best next action still "
        "counts: 3. Step 3: 0 + 0.5 * -1, the larger of two values."
    )
    expect_close(given, wanted, hint)
    expect(not given.requires_grad, "a gradient flows through the target: detach the next values")
    both = answer(reward[:1], next_q[:1], torch.tensor([True]), torch.tensor([True]), 0.5)
    expect_close(both, torch.tensor([1.0]), "An episode that terminated in the last step allowed has terminated.")


def policy_loss(answer):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator, requires_grad=True)
    actions = torch.tensor([0, 2, 1, 1, 0, 2])
    advantages = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0, 2.0], requires_grad=True)
    given = answer(logits, actions, advantages)
    picked = logits.log_softmax(1)[torch.arange(6), actions]
    wanted = -(advantages.detach() * picked).mean()
    expect(
        not torch.is_tensor(given) or given.dim() > 0 or not torch.isclose(given, -wanted),
        "the sign: an optimizer makes the loss smaller, so that good actions must lower it",
    )
    expect_close(given, wanted, "The mean over steps of minus the advantage times log π of the action that was taken.")
    expect(given.requires_grad, "the loss has no gradient: the logits must keep theirs")
    given.backward()
    expect(advantages.grad is None, "a gradient flowed into the advantages: detach them")
