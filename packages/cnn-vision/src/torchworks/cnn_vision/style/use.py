"""The command `stylize`: a photograph in the style of another image."""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.data.photos import open_image
from torchworks.cnn_vision.models.adain import AdaINNet
from torchworks.cnn_vision.models.fast_style import TransformNet
from torchworks.cnn_vision.models.neural_style import optimize
from torchworks.cnn_vision.models.perceptual import LAYERS
from torchworks.cnn_vision.style.commands import Stylize
from torchworks.cnn_vision.style.features import open_features
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.machine.device import choose, limit_threads
from torchworks.shared.runs.opening import open_run
from torchworks.shared.runs.outputs import picture, prepare_image_file, save_image
from torchworks.shared.training.progress import Progress

METHODS = {"optimize": "", "fast": "style-fast", "adain": "style-adain"}
"""The recipe whose run each method needs."""
LARGEST = 2048


def stylize(arguments: Stylize) -> int:
    """Write the image and print its path. Raises `UserError` for mistakes before anything is computed."""
    method = check(arguments)
    content = open_image(arguments.content, arguments.size)[None] / 255
    style = None
    if method != "fast":
        style = open_image(arguments.style, arguments.style_size or arguments.size)[None] / 255
    prepare_image_file(arguments.out, overwrite=arguments.overwrite)
    stylized = stylized_by_run if arguments.run else stylized_by_optimization
    image = (stylized(arguments, content, style)[0].clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    save_image(picture(image), arguments.out, quality=92)
    print(arguments.out)
    return 0


def check(arguments: Stylize) -> str:
    """The method. Raises `UserError` for arguments that contradict each other, and for numbers out of range."""
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
            f"The method {method} needs a trained net: train the recipe {METHODS[method]} and pass its run by --run, "
            "or use --method optimize, which needs none."
        )
    if arguments.run and method != _method_of(arguments.run):
        raise UserError(f"{arguments.run} is a run for the method {_method_of(arguments.run)}, not for {method}.")
    if method == "fast" and arguments.style:
        raise UserError(
            f"{arguments.run} has its own style, so remove STYLE ({arguments.style}); for any style pass a run of "
            "style-adain, or no run."
        )
    if method != "fast" and not arguments.style:
        raise UserError("The style is missing. Give its image after the photograph: `stylize CONTENT STYLE`.")
    return method


def _method_of(run: Path | None) -> str:
    if run is None:
        return "optimize"
    recipe = open_run(run, "cnn-vision", "cpu").config.recipe
    for method, wanted in METHODS.items():
        if recipe == wanted:
            return method
    raise UserError(f"{run} is a run of the recipe {recipe}; stylize needs one of style-fast or style-adain.")


@torch.no_grad()
def stylized_by_run(arguments: Stylize, content: Tensor, style: Tensor | None) -> Tensor:
    """(1, 3, H, W) in [0, 1], by the net of a run."""
    assert arguments.run is not None
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    net = run.predictor.net.eval()
    if isinstance(net, TransformNet):
        return net(content.to(run.device))
    assert isinstance(net, AdaINNet)
    assert style is not None
    return net(content.to(run.device), style.to(run.device), arguments.alpha)


def stylized_by_optimization(arguments: Stylize, content: Tensor, style: Tensor | None) -> Tensor:
    """(1, 3, H, W) in [0, 1], by optimization."""
    assert style is not None
    limit_threads()
    device = choose(arguments.device, "fp32", "off").device
    features = open_features(arguments.features, LAYERS, LoaderConfig().root).to(device)
    progress = Progress(arguments.steps)
    progress.begin(0)
    try:
        return optimize(
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
