"""Few-step drawing: from a configuration to an experiment. The teacher is trained and asked here, before anything
else."""

import dataclasses

import torch
from torch import Tensor

from torchworks.diffusion.few_step.config import FewStepConfig
from torchworks.diffusion.few_step.task import FewStepTask
from torchworks.diffusion.few_step.teacher import Teacher, copy_of, drawn, opened_teacher, pairs_of, trained_teacher
from torchworks.diffusion.images.build import classes_of, experiment_of, judged, model_of
from torchworks.diffusion.images.predictor import DiffusionPredictor
from torchworks.diffusion.models import registry
from torchworks.diffusion.process.config import SamplingConfig
from torchworks.shared.data import LoaderFactory, Source, open_source
from torchworks.shared.fidelity import Fidelity, Judge, features_of
from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment

COMPARED = (
    SamplingConfig("euler", steps=1),
    SamplingConfig("ab2", steps=2),
    SamplingConfig("ab2", steps=4),
)
"""How the teacher draws beside the model: by the sampler that is best at the number of steps."""
AT_ONCE = 256


def build(config: FewStepConfig, device: Device) -> Experiment:
    """Raises `UserError` for a teacher that does not fit."""
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    classes = classes_of(source) if config.conditional else ()
    shape = (channels, size, size)
    given = opened_teacher(config, shape, classes, device) if config.teacher.run else None
    judge, fidelity = judged(config, source, device)
    teacher = given or trained_teacher(config, source, shape, classes, device)
    config = dataclasses.replace(config, net=teacher.net)
    pairs = pairs_of(config, teacher, source, device)
    net = copy_of(registry.net_of(teacher.net, channels, len(classes)), teacher.predictor.net)
    task = FewStepTask(net, config, image_shape=shape, num_classes=len(classes), fidelity=fidelity)
    experiment = experiment_of(config, device, source, task, model_of(config, task, classes), judge)
    floors = experiment.baselines
    return dataclasses.replace(
        experiment,
        train=LoaderFactory(config, device).training(pairs),
        baselines=lambda: {**floors(), **compared(config, task, teacher, source, judge, device)},
    )


def compared(
    config: FewStepConfig, task: FewStepTask, teacher: Teacher, source: Source, judge: Judge, device: Device
) -> dict[str, float]:
    """The distance, and the share of classes read right, of the teacher (`_teacher_1`, …) and of the model (`_steps_2`,
    …) in 1, 2 and 4 steps, of as many images as there are test images."""
    scores = {}
    own = DiffusionPredictor(task.model, teacher.predictor.signature, config.process, config.sampling, task.image_shape)
    for sampling in COMPARED:
        steps = sampling.steps
        ways = {"teacher": (teacher.predictor, dataclasses.replace(sampling, guidance=config.pairs.guidance))}
        if steps != config.sampling.steps:
            ways["steps"] = own, dataclasses.replace(config.sampling, steps=steps)
        for who, (predictor, how) in ways.items():
            found = score(predictor, how, source, judge, config.seed, device)
            scores |= {f"{name}_{who}_{steps}": value for name, value in found.items()}
    return scores


def score(
    predictor: DiffusionPredictor, sampling: SamplingConfig, source: Source, judge: Judge, seed: int, device: Device
) -> dict[str, float]:
    """Scores of images of the test images' classes."""
    fidelity = Fidelity(judge, reference=features_of(judge, source.train)).to(device.device)
    fidelity.sync_on_compute = False
    test = source.test
    for start in range(0, len(test), AT_ONCE):
        rows = range(start, min(start + AT_ONCE, len(test)))
        labels = _labels(source, rows) if predictor.classes else None
        images = drawn(predictor, sample_normal(seed, rows, *predictor.shape), labels, sampling, device.device)
        label = None if labels is None else labels.to(device.device)
        fidelity.update(fake=images.clamp(-1, 1).to(device.device), label=label)
    found = fidelity.compute()
    return {name: found[name] for name in (judge.frechet_name, "label_accuracy") if name in found}


def _labels(source: Source, rows: range) -> Tensor:
    """Classes (N,) of these test images."""
    return torch.stack([source.test[i]["label"] for i in rows])
