"""What the experiments of all generators of images from noise have in common: a judge of their images, and the parts of
the data that they learn from and are judged by."""

from collections.abc import Callable

from torchworks.gans.adversarial.config import AdversarialTraining
from torchworks.gans.noise.task import GanTask
from torchworks.shared.data import LoaderFactory, Source
from torchworks.shared.fidelity import Fidelity, Judge, Selection, bounds, features_of, judge_for
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says


def judged(source: Source, config: AdversarialTraining, device: Device) -> tuple[Judge, Fidelity]:
    """The judge of the images of `source`, and the scores it gives."""
    size = config.loader.image_size
    judge = judge_for(source, image_size=size, device=device.device, say=first_says(device.rank))
    return judge, Fidelity(judge, reference=features_of(judge, source.train)).to(device.device)


def experiment_of(
    config: AdversarialTraining,
    device: Device,
    source: Source,
    judge: Judge,
    task: GanTask,
    model: TrainedModel,
    *,
    more_baselines: Callable[[], dict[str, float]] = dict,
) -> Experiment:
    """`task` learns from the training part of `source`, which also chooses its best state; beside its scores stand
    those of real images and of noise, and `more_baselines`."""
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(source.train),
        select=Selection(loaders.shuffled(source.train), len(source.train)),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(model,),
        baselines=lambda: bounds(judge, source) | more_baselines(),
    )
