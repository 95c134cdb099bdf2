"""Wrong answers to the exercises of lesson 18."""

import torch
from torch.nn import functional as F


def discriminator_loss__not_detached(d, real, fake):
    return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()


def discriminator_loss__signs_swapped(d, real, fake):
    return F.softplus(d(real)).mean() + F.softplus(-d(fake.detach())).mean()


def discriminator_loss__one_mean(d, real, fake):
    return torch.cat([F.softplus(-d(real)), F.softplus(d(fake.detach()))]).mean()


def r1_penalty__without_graph(d, real):
    x = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(d(x).sum(), x)
    return slope.square().flatten(1).sum(dim=1).mean()


def r1_penalty__mean_of_elements(d, real):
    x = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return slope.square().mean()


def coverage__any_center_within(points, centers, radius, share):
    within = (torch.cdist(points, centers) <= radius).sum(dim=0)
    return int((within >= share * len(points)).sum())


def coverage__share_of_those_on_land(points, centers, radius, share):
    distance, nearest = torch.cdist(points, centers).min(dim=1)
    counts = torch.bincount(nearest[distance <= radius], minlength=len(centers))
    return int((counts > share * counts.sum()).sum())
