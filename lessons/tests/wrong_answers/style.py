"""Wrong answers to the exercises of lesson 20."""

import torch


def gram__sum(maps):
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2)


def gram__places(maps):
    flat = maps.flatten(2)
    return flat.transpose(1, 2) @ flat / flat.shape[1]


def total_variation__signed(image):
    return (image[:, :, 1:] - image[:, :, :-1]).mean() + (image[..., 1:] - image[..., :-1]).mean()


def total_variation__one_direction(image):
    return (image[..., 1:] - image[..., :-1]).abs().mean()


def paint__not_cut(start, loss, steps, rate):
    image = start.detach().clone()
    for _ in range(steps):
        image.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(image), image)
        image = image.detach() - rate * gradient
    return image


def paint__uphill(start, loss, steps, rate):
    image = start.detach().clone()
    for _ in range(steps):
        image.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(image), image)
        image = (image.detach() + rate * gradient).clamp(0, 1)
    return image


def paint__changes_the_start(start, loss, steps, rate):
    start.requires_grad_()
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(start), start)
        with torch.no_grad():
            start -= rate * gradient
            start.clamp_(0, 1)
    return start.detach()
