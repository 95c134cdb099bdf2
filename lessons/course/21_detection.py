# %% [markdown]
# # 21. Detection
#
# A detector says what is where, and how sure it is; this lesson writes its four parts by hand, boxes, a grid of
# guesses, suppression of doubles and average precision, and trains one in seconds.
#
# A classifier has one answer for an image. A detector has any number of them, and so has the truth. Most of its code is
# about that: which guess is for which object, which guesses are doubles, and how to score lists of different lengths.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import torchvision
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.shared.detection.metrics import AveragePrecision

SIZE, CELL = 32, 4
GRID = SIZE // CELL  # 8 × 8 cells of 4 × 4 pixels

# %% [markdown]
# ## Scenes
#
# One to four discs of different sizes and brightness on a noisy ground. They may touch and overlap. A box is
# (left, top, right, bottom) in pixels.


# %%
def scene(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """An image (1, 32, 32) and its boxes (m, 4)."""
    rows, columns = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    image, boxes = 0.25 * torch.randn(SIZE, SIZE, generator=generator), []
    for _ in range(int(torch.randint(1, 5, (), generator=generator))):
        r, x, y, light = torch.rand(4, generator=generator).tolist()
        r = 3 + 3 * r
        x, y = r + x * (SIZE - 2 * r), r + y * (SIZE - 2 * r)
        inside = (columns - x) ** 2 + (rows - y) ** 2 < r**2
        image = torch.where(inside, 0.6 + 0.8 * light + 0.1 * torch.randn(SIZE, SIZE, generator=generator), image)
        boxes.append([x - r, y - r, x + r, y + r])
    return image[None], torch.tensor(boxes)


draw = torch.Generator().manual_seed(0)
scenes = [scene(draw) for _ in range(800)]
train, test = scenes[:600], scenes[600:]
print(
    f"{len(train)} scenes to learn from, {len(test)} to test; {sum(len(b) for _, b in test)} objects in the test part"
)

# %% [markdown]
# ## How well do two boxes agree?
#
# **IoU**: the area that both cover over the area that either covers. 1 if equal, 0 if apart. Broadcasting gives all
# pairs at once (lesson 1).


# %%
def iou(a: Tensor, b: Tensor) -> Tensor:
    """(N, M) of boxes a (N, 4) and b (M, 4)."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clamp(min=0).prod(dim=2)  # without clamp, two negative sides would make a positive area
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (a, b)]
    return both / (area[0][:, None] + area[1][None] - both)


boxes = train[0][1]
others = boxes + torch.randn(boxes.shape)
assert torch.allclose(iou(boxes, others), torchvision.ops.box_iou(boxes, others), atol=1e-6)

# %% [markdown]
# ## A guess in every cell
#
# The net sees the whole image and answers with an 8 × 8 map of five numbers: is the *center* of an object in my cell,
# where in the cell is it, how wide and how high is it? So the number of guesses is fixed, 64, and most of them say
# "none". This is the idea of YOLO (Redmon et al. 2016).


# %%
def targets_of(boxes: Tensor) -> Tensor:
    """(5, 8, 8): 1 where a center is; its place in the cell; width and height in logarithms of cells."""
    target = torch.zeros(5, GRID, GRID)
    for box in boxes:
        center, size = (box[:2] + box[2:]) / 2 / CELL, (box[2:] - box[:2]) / CELL
        column, row = center.int().tolist()
        target[:, row, column] = torch.cat([torch.ones(1), center - center.floor(), size.log()])
    return target


def boxes_of(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The boxes (64, 4) and scores (64,) that the maps (5, 8, 8) of one image stand for."""
    rows, columns = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    center = (torch.stack([columns, rows]) + maps[1:3]) * CELL
    half = maps[3:5].exp() * CELL / 2
    return torch.cat([center - half, center + half]).flatten(1).T, maps[0].sigmoid().flatten()


torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Conv2d(32, 5, 1),
)  # fmt: skip
images = torch.stack([image for image, _ in train])
targets = torch.stack([targets_of(boxes) for _, boxes in train])
STEPS = 300
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
for _ in range(STEPS):
    rows = torch.randint(len(train), (32,))
    maps, target = model(images[rows]), targets[rows]
    is_object = target[:, :1]
    found = F.binary_cross_entropy_with_logits(maps[:, :1], is_object, pos_weight=torch.tensor(4.0))
    placed = (is_object * (maps[:, 1:] - target[:, 1:]).abs()).sum() / is_object.sum()  # only where there is one
    optimizer.zero_grad()
    (found + 0.5 * placed).backward()
    optimizer.step()
    scheduler.step()

# %% [markdown]
# ## Doubles
#
# Two neighboring cells may both claim the center of one disc. **Non-maximum suppression** takes the surest guess,
# strikes out all that overlap it, takes the surest of what is left, and so on.


# %%
def suppress(boxes: Tensor, scores: Tensor, most: float) -> list[int]:
    """The indices that are kept, surest first: none overlaps a surer one by more than `most`."""
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if not kept or iou(boxes[i : i + 1], boxes[kept]).max() <= most:
            kept.append(i)
    return kept


def detect(image: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (D, 4) and scores (D,) of an image (1, 32, 32)."""
    with torch.no_grad():
        boxes, scores = boxes_of(model(image[None])[0])
    sure = scores > 0.05
    boxes, scores = boxes[sure], scores[sure]
    kept = suppress(boxes, scores, 0.5)
    return boxes[kept], scores[kept]


model.eval()
found = [detect(image) for image, _ in test]
with torch.no_grad():
    guesses, sureness = boxes_of(model(test[0][0][None])[0])
assert suppress(guesses, sureness, 0.5) == torchvision.ops.nms(guesses, sureness, 0.5).tolist()

# %% [markdown]
# ## Average precision
#
# Sort all guesses of all images by their score. Go down the list: a guess is a *hit* if it overlaps an object of its
# image that no surer guess has taken by at least one half. After each guess note **precision**, the share of hits among
# the guesses so far, and **recall**, the share of objects found. The area under this curve is the average precision. No
# threshold is chosen, and a detector that says nothing, or everything, scores low.


# %%
def hits_of(found: list[tuple[Tensor, Tensor]], truth: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Scores and hits (1 or 0) of all guesses, surest first."""
    scores, hits = [], []
    for (boxes, score), wanted in zip(found, truth, strict=True):
        overlap, free = iou(boxes, wanted), torch.ones(len(wanted), dtype=torch.bool)
        for i in score.argsort(descending=True).tolist():
            best = torch.where(free, overlap[i], -1.0).argmax()
            hit = bool(free[best] and overlap[i, best] >= 0.5)
            free[best] &= not hit
            scores.append(score[i].item())
            hits.append(float(hit))
    order = torch.tensor(scores).argsort(descending=True, stable=True)
    return torch.tensor(scores)[order], torch.tensor(hits)[order]


def average_precision(hits: Tensor, objects: int) -> tuple[float, Tensor, Tensor]:
    """COCO's: the mean of the precision at 101 recalls, where precision is the best at this recall or a higher one."""
    recall = hits.cumsum(0) / objects
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)
    places = torch.searchsorted(recall, torch.linspace(0, 1, 101) - 1e-6)
    at = torch.where(places < len(hits), best[places.clamp(max=len(hits) - 1)], 0.0)
    return at.mean().item(), recall, best


truth = [boxes for _, boxes in test]
objects = sum(map(len, truth))


def by_brightness(image: Tensor) -> tuple[Tensor, Tensor]:
    """The classical way: blur, threshold, and a box around each connected region; the larger, the surer."""
    smooth = ndimage.gaussian_filter(image[0].numpy(), 1.0)
    places = ndimage.find_objects(ndimage.label(smooth > 0.4)[0])
    boxes = [[x.start, y.start, x.stop, y.stop] for y, x in places]
    sizes = [(x.stop - x.start) * (y.stop - y.start) / SIZE**2 for y, x in places]
    return torch.tensor(boxes, dtype=torch.float32).view(-1, 4), torch.tensor(sizes)


curves = {}
middle = torch.tensor([[SIZE / 4, SIZE / 4, 3 * SIZE / 4, 3 * SIZE / 4]])
for name, guesses in (
    ("one box in the middle", [(middle, torch.ones(1))] * len(test)),
    ("bright regions", [by_brightness(image) for image, _ in test]),
    ("our detector", found),
):
    score, recall, precision = average_precision(hits_of(guesses, truth)[1], objects)
    curves[name] = (score, recall, precision)
    print(f"{name:<22} average precision {score:.3f} at an overlap of one half")
assert curves["our detector"][0] > curves["bright regions"][0] + 0.05
assert curves["bright regions"][0] > curves["one box in the middle"][0]

# %% [markdown]
# The classical method finds single discs well, and takes two that touch for one. There the detector is better.
#
# ## The same with the package
#
# The packages score detectors by COCO's own code. It must agree with ours:

# %%
metric = AveragePrecision(num_classes=1)
for (boxes, scores), wanted in zip(found, truth, strict=True):
    labels = [torch.zeros(len(each), dtype=torch.int64) for each in (boxes, wanted)]
    metric.update(
        [{"boxes": boxes, "scores": scores, "labels": labels[0]}],
        [{"boxes": wanted, "labels": labels[1], "ignored": torch.zeros(0, 4)}],
    )
theirs = float(metric.compute()["map_50"])
print(f"average precision of the package: {theirs:.3f}")
assert abs(theirs - curves["our detector"][0]) < 0.005

# %% [markdown]
# ## The figure
#
# Six test scenes: what there is (yellow), what our detector finds (red), what the classical method says (blue). Right:
# precision by recall.

# %%
STYLES = (
    {"edgecolor": "yellow", "linestyle": ":", "label": "truth"},
    {"edgecolor": "deepskyblue", "linestyle": "--", "label": "bright regions"},
    {"edgecolor": "red", "label": "our detector"},
)
figure = plt.figure(figsize=(13, 6))
for i in range(6):
    axis = figure.add_subplot(2, 4, i + 1 + i // 3)
    image, wanted = test[i]
    axis.imshow(image[0].numpy(), cmap="gray", extent=(0, SIZE, SIZE, 0))
    boxes, scores = found[i]
    groups = (wanted, by_brightness(image)[0], boxes[scores > 0.5])
    for group, style in zip(groups, STYLES, strict=True):
        for left, top, right, bottom in group.tolist():
            axis.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, linewidth=1.6, **style))
    axis.set_axis_off()
axis = figure.add_subplot(1, 4, 4)
for name, (score, recall, precision) in curves.items():
    axis.plot(np.asarray(recall), np.asarray(precision), label=f"{name}: {score:.2f}")
axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.03), title="average precision")
axis.legend(loc="lower left")
kinds = [plt.Rectangle((0, 0), 1, 1, facecolor="dimgray", linewidth=1.6, **style) for style in STYLES]
figure.legend(handles=kinds, loc="upper center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False)
figure.tight_layout(rect=(0, 0, 1, 0.95))
save_figure(figure, "detection")

# %% [markdown]
# ## What goes wrong
#
# **Width and height where corners belong.** There are two ways to write a box, and no message tells them apart:
#
# ```python
# import torch, torchvision
#
# boxes = torch.tensor([[10.0, 10.0, 4.0, 4.0]])  # left, top, width, height
# print(torchvision.ops.box_iou(boxes, boxes + 0.5).item() > 0.5)
# ```
# ```text
# False
# ```
#
# ```python
# corners = torchvision.ops.box_convert(boxes, "xywh", "xyxy")
# assert torchvision.ops.box_iou(corners, corners + 0.5).item() > 0.5
# ```
#
# **An image without objects.** `torch.tensor([])` is no list of boxes with four numbers each:
#
# ```python
# torchvision.ops.box_iou(torch.tensor([]), corners)
# ```
# ```text
# IndexError: index 2 is out of bounds for dimension 1 with size 0
# ```
#
# ```python
# assert torchvision.ops.box_iou(torch.zeros(0, 4), corners).shape == (0, 1)
# ```
#
# **Suppression across classes.** A person on a horse is struck out as a double of the horse:
#
# ```python
# boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 1.0, 10.0, 10.0]])
# scores, classes = torch.tensor([0.9, 0.8]), torch.tensor([0, 1])
# print(torchvision.ops.nms(boxes, scores, 0.5).tolist())
# ```
# ```text
# [0]
# ```
#
# ```python
# assert torchvision.ops.batched_nms(boxes, scores, classes, 0.5).tolist() == [0, 1]
# ```
#
# ## Exercises
#
# In `lessons/answers/detection.py`; check them with `make check-lesson NAME=detection`.
#
# 1. `iou`: of two boxes.
# 2. `suppress`: non-maximum suppression.
# 3. `average_precision`: from a list of hits.
#
# ## Where this lives
#
# - [`shared/detection/metrics.py`](../../shared/src/torchworks/shared/detection/metrics.py): COCO's average precision,
#   with regions to ignore and with masks.
# - [`shared/detection/mistakes.py`](../../shared/src/torchworks/shared/detection/mistakes.py) sorts a detector's
#   mistakes: missed, doubled, wrong class, badly placed.
# - [`cnn_vision/detection/task.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/detection/task.py): the
#   training of detectors for many classes: `make train-cnn-vision RECIPE=detect`.
