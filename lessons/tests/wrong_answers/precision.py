"""Wrong answers to the exercises of lesson 15."""


def warmup_linear__from_zero(step, warmup, steps):
    if step < warmup:
        return step / warmup
    return 1 - (step - warmup) / (steps - 1 - warmup)


def warmup_linear__one_short(step, warmup, steps):
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 1 - (step - warmup) / (steps - warmup)


def rounding_error__absolute(x, dtype):
    return (x.to(dtype).double() - x).abs().max().item()


def rounding_error__compared_in_the_type(x, dtype):
    return ((x.to(dtype) - x.to(dtype)) / x).abs().max().item()


def scaled_step__not_unscaled(weight, gradient, scale, rate):
    if not gradient.isfinite().all():
        return weight, scale / 2
    return weight - rate * gradient.float(), scale


def scaled_step__unscaled_in_half(weight, gradient, scale, rate):
    if not gradient.isfinite().all():
        return weight, scale / 2
    return weight - rate * (gradient / scale).float(), scale


def scaled_step__overflow_taken(weight, gradient, scale, rate):
    return weight - rate * (gradient.float() / scale).nan_to_num(posinf=0.0), scale
