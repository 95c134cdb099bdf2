"""One way to answer the exercises of lesson 7."""

from torch import Tensor, nn


def strip_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items()}


def load_matching(model: nn.Module, state: dict[str, Tensor]) -> list[str]:
    own = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(set(own) - set(fitting))


def freeze_except(model: nn.Module, prefixes: list[str]) -> int:
    learning = 0
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(tuple(prefixes))
        learning += parameter.numel() * parameter.requires_grad
    return learning
