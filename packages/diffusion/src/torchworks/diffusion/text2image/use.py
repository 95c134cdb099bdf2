"""The command `sample` for runs with captions: images of prompts, each above its own."""

from pathlib import Path

import torch

from torchworks.diffusion.images.commands import Sample
from torchworks.diffusion.images.sample import changed, check_arguments, columns_of, parts_of, to_bytes, write_film
from torchworks.diffusion.text2image.predictor import PromptDrawer, open_prompt_drawer
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.captions import captioned_grid, captions_in
from torchworks.shared.runs.outputs import file_name, picture, prepare, progress, save_image

NAMED = 60
"""Most letters of a prompt in the name of a file."""


def sample(arguments: Sample) -> int:
    """Draw what `arguments` ask for and print the paths written."""
    check_arguments(arguments)
    if arguments.labels:
        raise UserError(
            f"{arguments.run} is a run with captions and knows no classes. Use --prompt instead of --labels."
        )
    drawer = open_prompt_drawer(arguments.run, arguments.device)
    drawer = drawer.with_sampling(changed(drawer.sampling, arguments.drawing, drawer.predictor.process.chain))
    prompts = prompts_of(drawer, arguments)
    drawer.check(prompts)
    folder, seed = arguments.out or arguments.run / "generated", f"seed{arguments.seed}"
    columns = arguments.columns or columns_of(arguments.n, 0)
    film = [f"film-{seed}.gif"] if arguments.film else []
    grid = [] if arguments.no_grid else [f"grid-{seed}.png"]
    files = [f"{seed}-{i:05d}-{file_name(prompt)[:NAMED]}.png" for i, prompt in enumerate(prompts)]
    files = files if arguments.files else []
    prepare(folder, [*film, *grid, *files], overwrite=arguments.overwrite or arguments.out is None)
    for name in film:
        write_film(drawer, arguments, prompts, columns, folder / name)
        print(folder / name)
    _draw(drawer, arguments, prompts, columns, [folder / name for name in grid], [folder / name for name in files])
    return 0


def prompts_of(drawer: PromptDrawer, arguments: Sample) -> list[str]:
    """The prompt of each image: those given, or captions of the run's test data, in turn."""
    wanted = list(arguments.prompt)
    if not wanted:
        config = drawer.run.config
        captions = list(dict.fromkeys(captions_in(open_source(config.data, config.loader, config.seed).test)))
        count = min(arguments.n, len(captions))
        wanted = [captions[i * len(captions) // count] for i in range(count)]
    return [wanted[i % len(wanted)] for i in range(arguments.n)]


def _draw(
    drawer: PromptDrawer, arguments: Sample, prompts: list[str], columns: int, grid: list[Path], files: list[Path]
) -> None:
    kept = []
    parts = list(parts_of(arguments.n)) if grid or files else []
    for rows in progress(parts, "drawing", len(parts)):
        images = to_bytes(drawer.draw(arguments.seed, rows, prompts[rows.start : rows.stop]))
        kept += [images] if grid else []
        for image, path in zip(images, files[rows.start : rows.stop], strict=False):
            save_image(picture(image), path)
    for path in grid:
        save_image(captioned_grid(torch.cat(kept).numpy(), prompts, columns), path)
        print(path)
    if files:
        print(f"{files[0].parent} ({len(files)} images)")
