"""The recipes of this package: functions that return a configuration. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.config import ClassifierConfig, FindingsConfig, SpeedConfig, TransferConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def classify() -> ClassifierConfig:
    """A classifier of images, by any architecture.

    cnn-vision train classify

    Digits, 16 pixels, three seeds: accuracy 99.3 ± 0.7 % (98.6, 99.2 and 100.0 of 359 test images), logistic regression
    on the pixels 97.5 %, always the commonest class 10.0 %; 47 s (torch 2.14.1, two cores of an AMD EPYC).
    """
    return ClassifierConfig(
        recipe="classify",
        model="resnet20",
        augment=("shift", "affine"),
        valid_fraction=0.0,
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=700, batch_size=64, ema=0.99),
    )


def transfer() -> TransferConfig:
    """Three new classes from five images each: a net trained on seven other classes goes on learning.

    cnn-vision train transfer

    Digits 7, 8 and 9 after 0 to 6, three seeds, each with other images: accuracy 94.1 ± 0.5 %, the same net from
    scratch 83.2 ± 10.1 % (88.2 ± 2.4 % at a third of the learning rate), logistic regression on the pixels
    88.8 ± 2.5 %; 51 s with all three nets (torch 2.14.1, one core of an AMD EPYC).
    """
    return TransferConfig(
        recipe="transfer",
        model="resnet20",
        classes=("7", "8", "9"),
        shots=5,
        pretrain_classes=("0", "1", "2", "3", "4", "5", "6"),
        pretrain_steps=150,
        augment=("shift", "affine"),
        valid_fraction=0.0,
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=120, batch_size=15),
    )


def study() -> ClassifierConfig:
    """Where the studies and the search start from: few images and a small net, so that differences show and many
    trainings take minutes."""
    return ClassifierConfig(
        recipe="classify",
        model="resnet20",
        shots=20,
        valid_fraction=0.0,
        loader=ImageConfig(image_size=8),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=250, batch_size=64),
    )


def medical() -> FindingsConfig:
    """Findings in medical images, none, one or several at once, each with a threshold of chosen sensitivity.

    cnn-vision train medical

    Patches of a photographed retina with three kinds of lesions drawn into it, each in 15 % of them; three seeds: test
    ROC-AUC 0.976 ± 0.008 (logistic regression on the spread of colours 0.936, on the pixels 0.626), average precision
    0.935 ± 0.018 (0.848, 0.256), calibration error 0.023 ± 0.004; 378 s (torch 2.14.1, two cores of an AMD EPYC, beside
    other work).
    """
    return FindingsConfig(
        recipe="medical",
        data="lesions",
        model="resnet20",
        augment=("flip", "shift"),
        class_weights="balanced",
        valid_fraction=0.2,
        loader=ImageConfig(image_size=48),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=32, eval_every=250),
    )


def speed() -> SpeedConfig:
    """Small colour images: as accurate as five minutes allow on two cores.

    cnn-vision train speed --data folder:cifar10 --augment flip shift --tta

    The steps are fixed, since the learning rate falls to 0 along them: on a slower or faster machine, say --steps. The
    plain alternative is --optimizer sgd --optim.lr 0.75 --head-lr 0.75 --bias-lr 48 --optim.warmup 80
    --weight-decay 0.001.

    On a GPU take the paper's net and larger batches (not yet run there): --widths 64 256 256 --trainer.batch-size 2000
    --steps 200 --optim.lr 0.24 --head-lr 1.7 --bias-lr 100 --compile --whitening-epochs 0, the last because a net that
    changes half way is compiled twice.

    Without --data the bundled digits show that it runs; they are no match for it.

    CIFAR-10 as JPEG files (a re-encoding, so no published score compares), three seeds: accuracy 84.8 ± 0.3 % after
    228 s of training, logistic regression on the pixels 38.8 % (torch 2.14.1, two cores of an AMD EPYC).
    """
    return SpeedConfig(
        recipe="speed",
        widths=(24, 96, 96),
        augment=("shift",),
        head_lr=0.25,
        bias_lr=12.0,
        whitening_epochs=1.0,
        loader=ImageConfig(image_size=32, channels=3),
        optim=OptimConfig(lr=0.15, schedule="linear"),
        trainer=TrainerConfig(steps=720, batch_size=256, channels_last="on"),
    )
