"""The recipes of this package: functions that return a configuration. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.config import ClassifierConfig, SpeedConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def classify() -> ClassifierConfig:
    """A classifier of images, by any architecture.

    cnn-vision train classify

    Not yet measured at these settings.
    """
    return ClassifierConfig(
        recipe="classify",
        model="resnet18",
        augment=("shift",),
        valid_fraction=0.0,
        label_smoothing=0.1,
        loader=LoaderConfig(image_size=8),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=220, batch_size=64),
    )


def speed() -> SpeedConfig:
    """Small colour images: as accurate as five minutes allow on two cores, or seconds on a GPU.

    cnn-vision train speed --data folder:cifar10 --augment flip shift --tta --max-minutes 5

    The steps are fixed, since the learning rate falls to 0 along them: on a slower or faster machine, say --steps. The
    plain alternative is --optimizer sgd --optim.lr 0.75 --head-lr 0.75 --bias-lr 48 --optim.warmup 80
    --weight-decay 0.001.

    On a GPU take the paper's net and larger batches (not yet run there): --widths 64 256 256 --trainer.batch-size 2000
    --steps 200 --optim.lr 0.24 --head-lr 1.7 --bias-lr 100 --compile --whitening-epochs 0, the last because a net that
    changes half way is compiled twice.

    Without --data the bundled digits show that it runs; they are no match for it.

    Not yet measured at these settings.
    """
    return SpeedConfig(
        recipe="speed",
        widths=(24, 96, 96),
        augment=("shift",),
        head_lr=0.5,
        bias_lr=25.0,
        whitening_epochs=1.0,
        loader=LoaderConfig(image_size=32, channels=3),
        optim=OptimConfig(lr=0.15, schedule="linear"),
        trainer=TrainerConfig(steps=400, batch_size=512, channels_last="on"),
    )
