"""The command `sweep`: what the parts of a code change."""

import torch
from torch import Tensor

from torchworks.gans.codes.commands import Sweep
from torchworks.gans.codes.traits import TRAITS, correlation_within, traits_of
from torchworks.gans.models.infogan import InfoGANGenerator
from torchworks.gans.noise.predictor import CATEGORY, Generator, number_name, open_generator
from torchworks.shared.config import UserError
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.outputs import picture, prepare, save_image

LIMITS = {"rows": (1, 32), "columns": (2, 32), "n": (100, 100_000)}


def sweep(arguments: Sweep) -> int:
    """Write the tables that `arguments` ask for; print their paths and the correlations."""
    _check(arguments)
    generator = open_generator(arguments.run, arguments.device)
    net = _coded_net(generator)
    folder = arguments.out or arguments.run / "sweep"
    names = ["categories.png", *(f"{number_name(i)}.png" for i in range(net.numbers))]
    prepare(folder, names, overwrite=arguments.overwrite or arguments.out is None)
    tables = [by_category(generator, net, arguments.seed, arguments.rows)]
    values = torch.linspace(-arguments.reach, arguments.reach, arguments.columns)
    tables += [by_number(generator, net, arguments.seed, index, values) for index in range(net.numbers)]
    widths = [net.categories, *[arguments.columns] * net.numbers]
    for name, table, columns in zip(names, tables, widths, strict=True):
        save_image(picture(picture_grid(table / 255, columns)), folder / name)
        print(folder / name)
    if net.numbers:
        print(_table(correlations(generator, net, arguments.seed, arguments.n)))
    return 0


def by_category(generator: Generator, net: InfoGANGenerator, seed: int, rows: int) -> Tensor:
    """Images, uint8 (rows · K, C, S, S), row by row: one latent vector with each category."""
    z = generator.latents(seed, range(rows)).repeat_interleave(net.categories, dim=0)
    return generator.draw(z, None, code={CATEGORY: torch.arange(1, net.categories + 1).repeat(rows)})


def by_number(generator: Generator, net: InfoGANGenerator, seed: int, index: int, values: Tensor) -> Tensor:
    """Images, uint8 (K · V, C, S, S), row by row: one latent vector and category, with each of `values` (V,) as the
    number of this index. A value that means "drawn" is moved by as little as can be."""
    shown = torch.where(values == -2, torch.nextafter(values, torch.zeros_like(values)), values)
    z = generator.latents(seed, range(net.categories)).repeat_interleave(len(values), dim=0)
    category = torch.arange(1, net.categories + 1).repeat_interleave(len(values))
    return generator.draw(z, None, code={CATEGORY: category, number_name(index): shown.repeat(net.categories)})


def correlations(generator: Generator, net: InfoGANGenerator, seed: int, n: int) -> list[dict[str, float]]:
    """For each number of the code, its correlation with each trait among `n` images, within categories."""
    z = generator.latents(seed, range(n))
    code, found = net.code_of(z), traits_of(generator.draw(z, None) / 255)
    return [
        {trait: correlation_within(code.numbers[:, i], found[trait], code.category) for trait in TRAITS}
        for i in range(net.numbers)
    ]


def _table(found: list[dict[str, float]]) -> str:
    lines = ["correlation with" + "".join(f"{trait:>14}" for trait in TRAITS)]
    lines += [
        f"{number_name(i):<16}" + "".join(f"{row[trait]:>14.2f}" for trait in TRAITS) for i, row in enumerate(found)
    ]
    return "\n".join(lines)


def _coded_net(generator: Generator) -> InfoGANGenerator:
    net = generator.run.predictor.net
    if not isinstance(net, InfoGANGenerator):
        raise UserError(
            f"{generator.run.folder} is a run of {generator.run.config.recipe}, whose generator has no code. Train the "
            "recipe infogan."
        )
    return net


def _check(arguments: Sweep) -> None:
    for name, (least, most) in LIMITS.items():
        if not least <= (value := getattr(arguments, name)) <= most:
            raise UserError(f"--{name} is {value}; it must be from {least} to {most:,}.")
    if not 0 < arguments.reach <= 2:
        raise UserError(f"--reach is {arguments.reach:g}; it must be above 0 and at most 2.")
