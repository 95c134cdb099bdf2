"""The arithmetic of diffusion models: paths, predictions, grids, samplers. Imports no torch: services need it too.

    def denoise(x, level):
        return image_of("flow", net(x, level.time), x, level.alpha, level.sigma)

    grid = GRIDS["uniform"](FlowPath(), 8)                # 9 levels, the last of which is the image
    image = SAMPLERS["dpmpp-2m"](denoise, x, grid)

The four parts do not know of each other: any path goes with any prediction, grid and sampler.
"""

from torchworks.shared.denoising.grids import GRIDS, grid_of
from torchworks.shared.denoising.guidance import Guidance, guided
from torchworks.shared.denoising.levels import IMAGE, Level
from torchworks.shared.denoising.paths import FlowPath, Path, VarianceExplodingPath, VariancePreservingPath, path_of
from torchworks.shared.denoising.predictions import Prediction, check_prediction, image_of, input_factor, target_of
from torchworks.shared.denoising.samplers import SAMPLERS, sampler_of

__all__ = [
    "GRIDS",
    "IMAGE",
    "SAMPLERS",
    "FlowPath",
    "Guidance",
    "Level",
    "Path",
    "Prediction",
    "VarianceExplodingPath",
    "VariancePreservingPath",
    "check_prediction",
    "grid_of",
    "guided",
    "image_of",
    "input_factor",
    "path_of",
    "sampler_of",
    "target_of",
]
