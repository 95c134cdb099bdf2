"""Make the stored runs with the build of a checkout: `make_runs.py PYTHON [NAME …]`. See README.md.

Those that need the run `features` need it named before them."""

import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEPT = ("README.md", "config.json", "env.json", "metrics.jsonl", "result.json", "model.json")
COMMON = "--device cpu --precision fp32 --trainer.log-every 1"
SCENES = "--data scenes:train=8,test=3 --loader.image-size 64 --trainer.steps 1 --trainer.batch-size 4 --trainer.ema 0"
DETECT = f"{SCENES} --normalise imagenet --augment crop flip colour --valid-fraction 0.25"
SEGMENT = "--loader.image-size 64 --trainer.batch-size 4 --no-colours --class-weights balanced --valid-fraction 0.25"
DIGITS = "--trainer.steps 2 --trainer.batch-size 8 --loader.image-size 16"
GAN = f"{DIGITS} --trainer.ema 0.5 --doctor.may warn --doctor.patience 7"


@dataclass(frozen=True)
class Run:
    """What to train. `coarse`: by small_training.py. `checkpoint`: keep the last one, and what two more steps of
    training give."""

    words: str
    package: str = "cnn-vision"
    coarse: bool = False
    checkpoint: bool = False


STYLE = "--features features --trainer.steps 2 --loader.image-size 32 --size 32 --style-weight 5"
RUNS = {
    "features": Run("features --loader.image-size 32 --trainer.steps 1 --trainer.batch-size 16", coarse=True),
    "classifier": Run(
        "classify --model resnet20 --classes 7 8 --shots 8 --normalise imagenet --small-images on --mixing cutmix "
        "--augment shift affine --loader.image-size 8 --trainer.steps 1 --trainer.batch-size 8 --trainer.ema 0",
        coarse=True, checkpoint=True,
    ),
    "findings": Run(
        "medical --model resnet20 --normalise imagenet --augment shift brightness --sensitivity 0.8 "
        "--valid-fraction 0.3 --loader.image-size 8 --loader.channels 1 --trainer.steps 1 --trainer.batch-size 8",
        coarse=True,
    ),
    "speed": Run(
        f"speed {DIGITS} --loader.channels 1 --widths 4 8 8 --tta --whitening-epochs 0.5 --kernel-momentum 0.5",
        checkpoint=True,
    ),
    "autoencoder": Run(f"autoencoder {DIGITS} --code 4 --width 4 --noise 0.3 --augment shift", checkpoint=True),
    "vae": Run(f"vae {DIGITS} --code 4 --width 4 --beta 2 --exports reconstruction --augment affine", checkpoint=True),
    "anomaly": Run(
        "anomaly --pretrained features --coreset 0.01 --projection 8 --neighbours 3 --false-alarms 0.1 "
        "--valid-fraction 0.3 --loader.image-size 32"
    ),
    "style-fast": Run(
        f"style-fast {STYLE} --style brick --style-size 32 --width 4 --blocks 1 --smoothness 1", checkpoint=True
    ),
    "style-adain": Run(f"style-adain {STYLE} --smoothness 1", coarse=True),
    "unet": Run(
        f"segment {SEGMENT} --data scenes:easy,train=8,test=3 --width 4 --depth 2 --augment --trainer.steps 2",
        checkpoint=True,
    ),
    "deeplab": Run(
        f"segment-deeplab {SEGMENT} --data scenes:easy,train=8,test=3 --trainer.steps 1 --trainer.ema 0 "
        "--aux-weight 0.3 --dice-weight 0.5",
        coarse=True,
    ),
    "driver": Run(
        "drive --data roads:train=8,test=3 --loader.image-size 32 --weighting equal --no-augment --trainer.steps 1 "
        "--trainer.batch-size 4 --trainer.ema 0",
        coarse=True,
    ),
    "yolo": Run(f"detect {DETECT}", coarse=True, checkpoint=True),
    "ssd": Run(f"detect-ssd {DETECT}", coarse=True),
    "faster-rcnn": Run(f"detect-faster-rcnn {DETECT}", coarse=True),
    "mask-rcnn": Run(f"instances {DETECT}", coarse=True),
    "dcgan": Run(
        f"dcgan {GAN} --net.latent uniform --net.norm batch --net.width 2 --net.discriminator-width 4 "
        "--net.latent-dim 8 --adversarial.augment color translation --adversarial.loss least-squares",
        "gans", checkpoint=True,
    ),
    "cgan": Run(
        f"cgan {GAN} --net.width 2 --net.discriminator-width 4 --net.latent-dim 8 "
        "--adversarial.augment color cutout --adversarial.discriminator-steps 2",
        "gans",
    ),
    "r3gan": Run(
        f"r3gan {GAN} --net.width 4 --net.max-channels 8 --net.group-size 4 --net.latent-dim 8 --adversarial.r1 0.1",
        "gans", checkpoint=True,
    ),
    "cyclegan": Run(
        f"cyclegan {GAN} --net.width 2 --net.blocks 1 --net.downsamplings 1 --net.discriminator-width 4 "
        "--cycle-weight 5 --identity-weight 2 --pool-size 4",
        "gans", checkpoint=True,
    ),
    "pix2pix": Run(
        f"pix2pix {GAN} --net.width 4 --net.blocks 1 --net.discriminator-width 8 --pair blur --l1-weight 50", "gans"
    ),
}  # fmt: skip


def command(python: str, run: Run, words: list[str], *, coarse: bool) -> list[str]:
    """`words` for the package of `run`."""
    if coarse:
        return [python, str(HERE / "small_training.py"), run.package, *words]
    # as the installed command does it, so that the run notes no path
    code = f"import sys; sys.argv[0] = {run.package!r}; from torchworks.{run.package.replace('-', '_')}.__main__ "
    return [python, "-c", f"{code}import main; main()", *words]


def make(python: str, name: str, place: Path) -> Path:
    """Train the run `name` in the folder `place` and archive it; returns the archive."""
    run, settings = RUNS[name], {"cwd": place, "check": True, "stdout": subprocess.DEVNULL}
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    words = ["train", *run.words.split(), "--out", name, *COMMON.split()]
    subprocess.run(command(python, run, words, coarse=run.coarse), env=environment, **settings)
    steps = json.loads((place / name / "config.json").read_text())["trainer"]["steps"]
    describe(place / name)
    files = sorted(path for path in (place / name).rglob("*") if path.is_file() and kept(path, run, place / name))
    content = {str(path.relative_to(place)): path.read_bytes() for path in files}
    if run.checkpoint:
        words = ["train", "--resume", name, "--trainer.steps", str(steps + 2)]
        shutil.copytree(place / name, place / "aside")
        subprocess.run(command(python, run, words, coarse=False), env=environment, **settings)
        lines = [json.loads(line) for line in (place / name / "metrics.jsonl").read_text().splitlines()]
        shutil.rmtree(place / name)
        (place / "aside").rename(place / name)
        content[f"{name}/resumed.json"] = json.dumps([line for line in lines if line["step"] > steps]).encode()
    return archive(name, content)


def kept(path: Path, run: Run, folder: Path) -> bool:
    """Whether a file of a run is stored: what is needed to use and to continue it."""
    if "checkpoints" in path.parts:
        return run.checkpoint
    return path.suffix == ".safetensors" or path.name in KEPT


def describe(folder: Path) -> None:
    """Leave out the name of this machine's system."""
    path = folder / "env.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "platform": "Linux-x86_64"}, indent=2) + "\n")


def archive(name: str, content: dict[str, bytes]) -> Path:
    """The same bytes for the same content."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in sorted(content.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}]
    path = HERE / f"{name}.tar.xz"
    path.write_bytes(lzma.compress(whole.getvalue(), filters=filters))
    return path


def main() -> None:
    python, *names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        for name in names or RUNS:
            made = make(python, name, Path(place))
            print(f"{made.stat().st_size:>9,}  {made.name}", flush=True)


if __name__ == "__main__":
    main()
