"""Wrong answers to the exercises of lesson 16."""


def my_rows__unequal(count, rank, world):
    return list(range(rank, count, world))


def my_rows__in_blocks(count, rank, world):
    each = -(-count // world)
    return [(rank * each + i) % count for i in range(each)]


def mean_gradient__unweighted(gradients, sizes):
    return sum(gradients) / len(gradients)


def mean_gradient__sum(gradients, sizes):
    return sum(gradient * size for gradient, size in zip(gradients, sizes, strict=True))


def average_gradients__sum(model, all_reduce, world):
    for parameter in model.parameters():
        if parameter.grad is None:
            parameter.grad = parameter.detach() * 0
        all_reduce(parameter.grad)


def average_gradients__skips_missing(model, all_reduce, world):
    for parameter in model.parameters():
        if parameter.grad is not None:
            all_reduce(parameter.grad)
            parameter.grad /= world
