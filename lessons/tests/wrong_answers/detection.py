"""Wrong answers to the exercises of lesson 21."""

import torch


def iou__negative_sides(a, b):
    both = (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return both / (sum(areas) - both)


def iou__overlap_counted_twice(a, b):
    width, height = max(0.0, min(a[2], b[2]) - max(a[0], b[0])), max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / sum(areas)


def _overlap(a, b):
    width, height = max(0.0, min(a[2], b[2]) - max(a[0], b[0])), max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def suppress__struck_out_ones_strike(boxes, scores, most):
    order = sorted(range(len(boxes)), key=lambda i: -scores[i])
    return [i for n, i in enumerate(order) if all(_overlap(boxes[i], boxes[j]) <= most for j in order[:n])]


def suppress__not_sorted(boxes, scores, most):
    kept = []
    for i in range(len(boxes)):
        if all(_overlap(boxes[i], boxes[j]) <= most for j in kept):
            kept.append(i)
    return kept


def average_precision__precision_here(hits, objects):
    if not len(hits):
        return 0.0
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return ((hits * precision).sum() / objects).item()


def average_precision__of_those_found(hits, objects):
    if not len(hits):
        return 0.0
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)
    return ((hits * best).sum() / hits.sum()).item()
