"""The command `stylize`: one photograph in the style of another image."""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.data.paintings import open_picture
from torchworks.cnn_vision.inference.image_file import prepare_picture
from torchworks.cnn_vision.style.adain import Stylist
from torchworks.cnn_vision.style.commands import Stylize
from torchworks.cnn_vision.style.fast import Painter
from torchworks.cnn_vision.style.features import open_features
from torchworks.cnn_vision.style.gatys import optimise
from torchworks.cnn_vision.style.losses import LAYERS
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.machine.device import choose, limit_threads
from torchworks.shared.runs.opening import open_run
from torchworks.shared.runs.outputs import picture
from torchworks.shared.training.progress import Progress

METHODS = {"optimise": "", "fast": "style-fast", "adain": "style-adain"}
"""Methods, and the recipes whose runs they need."""
LARGEST = 2048


def stylize(arguments: Stylize) -> int:
    """Write the picture and print its path. Raises `UserError`, before anything is computed, for whatever is wrong."""
    method = check(arguments)
    content = open_picture(arguments.content, arguments.size)[None] / 255
    style = None
    if method != "fast":
        style = open_picture(arguments.style, arguments.style_size or arguments.size)[None] / 255
    prepare_picture(arguments.out, overwrite=arguments.overwrite)
    painted = (
        painted_by_run(arguments, content, style) if arguments.run else painted_by_steps(arguments, content, style)
    )
    image = (painted[0].clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    picture(image).save(arguments.out, quality=92)
    print(arguments.out)
    return 0


def check(arguments: Stylize) -> str:
    """The method. Raises `UserError` for arguments that do not go together, or numbers that make no sense."""
    for name, value in (("size", arguments.size), ("style-size", arguments.style_size or arguments.size)):
        if not 32 <= value <= LARGEST or value % 8:
            raise UserError(f"--{name} must be a multiple of 8 from 32 to {LARGEST}, but it is {value}.")
    if not 0 <= arguments.alpha <= 1:
        raise UserError(f"--alpha must be from 0 to 1, but it is {arguments.alpha}.")
    if arguments.steps < 1 or not arguments.style_weight >= 0 or not arguments.smoothness >= 0:
        raise UserError("--steps must be at least 1, and --style-weight and --smoothness 0 or more.")
    method = arguments.method if arguments.method != "auto" else _method_of(arguments.run)
    if METHODS[method] and not arguments.run:
        raise UserError(
            f"The method {method} needs a net: train the recipe {METHODS[method]} and give its run by --run, or use "
            "--method optimise, which needs none."
        )
    if arguments.run and method != _method_of(arguments.run):
        raise UserError(f"{arguments.run} is a run for the method {_method_of(arguments.run)}, not for {method}.")
    if method == "fast" and arguments.style:
        raise UserError(
            f"{arguments.run} paints in its own style, so leave out STYLE ({arguments.style}); for any style give a "
            "run of style-adain, or no run."
        )
    if method != "fast" and not arguments.style:
        raise UserError("Name the image whose style is wanted after the photograph: `stylize CONTENT STYLE`.")
    return method


def _method_of(run: Path | None) -> str:
    if run is None:
        return "optimise"
    recipe = open_run(run, "cnn-vision", "cpu").config.recipe
    for method, wanted in METHODS.items():
        if recipe == wanted:
            return method
    raise UserError(f"{run} is a run of the recipe {recipe}; stylize needs one of style-fast or style-adain.")


@torch.no_grad()
def painted_by_run(arguments: Stylize, content: Tensor, style: Tensor | None) -> Tensor:
    """(1, 3, H, W) in [0, 1], by the net of a run."""
    assert arguments.run is not None
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    net = run.predictor.net.eval()
    if isinstance(net, Painter):
        return net(content.to(run.device))
    assert isinstance(net, Stylist)
    assert style is not None
    return net(content.to(run.device), style.to(run.device), arguments.alpha)


def painted_by_steps(arguments: Stylize, content: Tensor, style: Tensor | None) -> Tensor:
    """(1, 3, H, W) in [0, 1], by optimisation."""
    assert style is not None
    limit_threads()
    device = choose(arguments.device, "fp32", "off").device
    features = open_features(arguments.features, LAYERS, LoaderConfig().root).to(device)
    progress = Progress(arguments.steps)
    progress.begin(0)
    try:
        return optimise(
            features,
            content.to(device),
            style.to(device),
            steps=arguments.steps,
            style_weight=arguments.style_weight,
            smoothness=arguments.smoothness,
            report=lambda step, loss: progress.advance(step + 1),
        )
    finally:
        progress.close()
