"""Wrong answers to the exercises of lesson 24."""

import torch


def last_events__in_the_file(users, times):
    return torch.stack([~(users[place + 1 :] == user).any() for place, user in enumerate(users)])


def last_events__all_of_the_last_second(users, times):
    return torch.stack(
        [time == times[users == user].max() for user, time in zip(users.tolist(), times.tolist(), strict=True)]
    )


def last_events__latest_of_all(users, times):
    return times >= times.sort().values[-len(users.unique())]


def recommend__knows_it_already(scores, known, k):
    return scores.topk(k).indices.tolist()


def recommend__times_zero(scores, known, k):
    return (scores * ~known).topk(min(k, int((~known).sum()))).indices.tolist()


def recommend__always_k(scores, known, k):
    return scores.masked_fill(known, -torch.inf).topk(k).indices.tolist()


def recommend__in_place(scores, known, k):
    scores[known] = -torch.inf
    return scores.topk(min(k, int((~known).sum()))).indices.tolist()


def recommend__numbers_of_the_rest(scores, known, k):
    return scores[~known].argsort(descending=True)[:k].tolist()


def catalogue_shares__of_what_occurs(lists, items):
    counts = lists.unique(return_counts=True)[1]
    return len(counts) / lists.numel(), counts.sort(descending=True).values[: items // 10].sum().item() / lists.numel()


def catalogue_shares__first_tenth(lists, items):
    counts = lists.flatten().bincount(minlength=items)
    return (counts > 0).sum().item() / items, counts[: items // 10].sum().item() / lists.numel()


def catalogue_shares__of_users(lists, items):
    counts = lists.flatten().bincount(minlength=items)
    top = counts.sort(descending=True).values[: items // 10]
    return (counts > 0).sum().item() / items, top.sum().item() / len(lists)
