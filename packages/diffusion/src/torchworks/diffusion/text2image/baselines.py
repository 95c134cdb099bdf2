"""What scores of held-out captions are read against: captions that were trained on, and real images.

Shape letters: N images, C channels, S pixels along a side.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from torchworks.diffusion.data import scenes
from torchworks.diffusion.data.scene_judge import SceneJudge
from torchworks.diffusion.text2image.task import Judge, Text2ImageTask
from torchworks.shared.data import Source

Batches = Iterable[dict[str, Tensor]]


def judge_of(source: Source, spec: str) -> Judge | None:
    """What reads the images of a source, opened as `spec`; None for data that no one reads without training."""
    if source.name != scenes.NAME:
        return None
    objects = scenes.parse_options(spec.partition(":")[2]).objects
    judge, known = SceneJudge(objects, source.schema["image"].shape[1]), scenes.all_captions(objects)

    def read(images: Tensor, captions: Sequence[str]) -> dict[str, Tensor]:
        return judge.score(images.cpu(), [known[caption] for caption in captions])

    return read


@torch.no_grad()
def baselines(task: Text2ImageTask, seen: Batches, test: Batches) -> dict[str, float]:
    """With a judge, its scores of images drawn of captions that were trained on (`_seen`), and of the real images of
    the test part (`_real`)."""
    if task.judge is None:
        return {}
    task.model.eval()
    task.random.at("seen")
    device = next(task.model.parameters()).device

    def of_drawn(batch: dict[str, Tensor]) -> Tensor:
        noise = task.random.normal(*batch["image"].shape)
        return task.draw(batch["tokens"].to(device), noise.to(device)).float().clamp(-1, 1)

    scores = {f"{name}_seen": value for name, value in _means(task, seen, of_drawn)}
    return scores | {f"{name}_real": value for name, value in _means(task, test, lambda batch: batch["image"].float())}


def _means(
    task: Text2ImageTask, batches: Batches, images: Callable[[dict[str, Tensor]], Tensor]
) -> Iterator[tuple[str, float]]:
    found: dict[str, list[Tensor]] = {}
    assert task.judge is not None
    for batch in batches:
        captions = [task.tokenizer.decode(row) for row in batch["tokens"].tolist()]
        for name, scores in task.judge(images(batch), captions).items():
            found.setdefault(name, []).append(scores)
    return ((name, torch.cat(scores).mean().item()) for name, scores in found.items())
