"""Wrong answers to the exercises of lesson 14."""


def silent_share__share_of_zeros(outputs):
    return (outputs == 0).float().mean().item()


def silent_share__samples(outputs):
    return (outputs == 0).all(dim=1).float().mean().item()


def gradient_norms__of_weights(model):
    return {name: p.norm().item() for name, p in model.named_parameters() if p.grad is not None}


def gradient_norms__unused_parameters(model):
    return {name: p.grad.norm().item() for name, p in model.named_parameters()}


def record_outputs__hooks_left(model, kind, x):
    found = []
    for layer in model.modules():
        if isinstance(layer, kind):
            layer.register_forward_hook(lambda _, __, output: found.append(output.detach()))
    model(x)
    return found


def record_outputs__not_nested(model, kind, x):
    found = []
    hooks = [
        layer.register_forward_hook(lambda _, __, output: found.append(output.detach()))
        for layer in model.children()
        if isinstance(layer, kind)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    return found


def record_outputs__with_history(model, kind, x):
    found = []
    hooks = [
        layer.register_forward_hook(lambda _, __, output: found.append(output))
        for layer in model.modules()
        if isinstance(layer, kind)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    return found
