"""One way to answer the exercises of lesson 14."""

from torch import Tensor, nn


def silent_share(outputs: Tensor) -> float:
    return (outputs == 0).all(dim=0).float().mean().item()


def gradient_norms(model: nn.Module) -> dict[str, float]:
    return {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None}


def record_outputs(model: nn.Module, kind: type[nn.Module], x: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    layers = [layer for layer in model.modules() if isinstance(layer, kind)]
    hooks = [layer.register_forward_hook(lambda _, __, output: found.append(output.detach())) for layer in layers]
    try:
        model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found
