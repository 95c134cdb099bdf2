"""Wrong answers to the exercises of lesson 7."""


def strip_prefix__everywhere(state, prefix):
    return {name.replace(prefix, ""): value for name, value in state.items()}


def strip_prefix__letters(state, prefix):
    return {name.lstrip(prefix): value for name, value in state.items()}


def load_matching__not_strict(model, state):
    return sorted(model.load_state_dict(state, strict=False).missing_keys)


def load_matching__loads_nothing(model, state):
    own = model.state_dict()
    return sorted(name for name in own if name not in state or own[name].shape != state[name].shape)


def freeze_except__never_thawed(model, prefixes):
    for name, parameter in model.named_parameters():
        if not name.startswith(tuple(prefixes)):
            parameter.requires_grad = False
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def freeze_except__counts_tensors(model, prefixes):
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(tuple(prefixes))
    return sum(parameter.requires_grad for parameter in model.parameters())
