"""Images with the styles of two others: coarse ones of one, fine ones of the other (`gans sample --mix`).

Karras, Laine & Aila 2019 (arXiv:1812.04948), figure 3: what the coarse layers decide (pose, shape) comes from the
row, what the fine ones decide (texture, light) from the column.
"""

import math

import torch
from torch import Tensor

from torchworks.gans.models.pixels import to_unit
from torchworks.gans.models.stylegan2 import StyleGAN2Generator
from torchworks.gans.noise.commands import Sample
from torchworks.gans.noise.predictor import Generator
from torchworks.shared.config import UserError
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.outputs import picture, prepare, save_image

MOST = 16  # rows and columns of a table


def draw_table(generator: Generator, arguments: Sample) -> int:
    """Write the table that `arguments` ask for and print its path. Row and column 0 are the images mixed."""
    generator.need_styles("--mix")
    net = styled_net(generator)
    cut = _cut(arguments, net.synthesis.styles)
    rows, columns = _size(arguments)
    folder = arguments.out or arguments.run / "generated"
    name = f"mix-seed{arguments.seed}.png"
    prepare(folder, [name], overwrite=arguments.overwrite or arguments.out is None)
    z = generator.latents(arguments.seed, range(rows + columns)).to(generator.run.device)
    table = mixing_table(net, z[:rows], z[rows:], cut, arguments.truncation)
    save_image(picture(picture_grid(table, columns + 1)), folder / name)
    print(folder / name)
    return 0


@torch.no_grad()
def mixing_table(net: StyleGAN2Generator, rows: Tensor, columns: Tensor, cut: int, truncation: float = 1.0) -> Tensor:
    """Images in [0, 1], ((R + 1) · (C + 1), channels, S, S), row by row, for latent vectors `rows` (R, D) and `columns`
    (C, D): first nothing (grey) and the images of the columns, then for each row its own image and those with its
    styles up to layer `cut` and each column's from there on."""
    z = torch.cat([rows, columns])
    w = net.truncated(net.mapping(z), torch.full((len(z),), truncation, device=z.device))
    styles = net.styles(w)  # (R + C, L, W)
    own = to_unit(net.synthesis(styles))
    of_rows, of_columns = styles[: len(rows)], styles[len(rows) :]
    first = torch.cat([torch.full_like(own[:1], 0.5), own[len(rows) :]])
    lines = [first]
    for coarse, image in zip(of_rows, own, strict=False):
        mixed = torch.cat([coarse[:cut].expand(len(columns), -1, -1), of_columns[:, cut:]], dim=1)
        lines.append(torch.cat([image[None], to_unit(net.synthesis(mixed))]))
    return torch.cat(lines).cpu()


def styled_net(generator: Generator) -> StyleGAN2Generator:
    net = generator.run.predictor.net
    assert isinstance(net, StyleGAN2Generator)
    return net


def _cut(arguments: Sample, layers: int) -> int:
    cut = layers // 2 if arguments.mix_from is None else arguments.mix_from
    if not 1 <= cut < layers:
        raise UserError(f"--mix-from is {cut}; this run has {layers} layers, so it must be from 1 to {layers - 1}.")
    return cut


def _size(arguments: Sample) -> tuple[int, int]:
    """Rows and columns of a table of `n` mixed images: 8 × 8 of 64."""
    columns = arguments.columns or max(1, math.isqrt(arguments.n))
    rows = -(-arguments.n // columns)
    if max(rows, columns) > MOST:
        raise UserError(
            f"A table of {rows} rows and {columns} columns is too large: both may be {MOST} at most. Choose a smaller "
            "--n, or other --columns."
        )
    return rows, columns
