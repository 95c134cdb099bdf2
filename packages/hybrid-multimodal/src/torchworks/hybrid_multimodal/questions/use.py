"""The commands of runs that answer questions: `ask`, and what `evaluate` does with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.data.questions import questions_in
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.hybrid_multimodal.questions.baselines import baselines
from torchworks.hybrid_multimodal.questions.build import EVALUATION_BATCH, scored
from torchworks.hybrid_multimodal.questions.commands import Ask
from torchworks.hybrid_multimodal.questions.config import VQAConfig
from torchworks.hybrid_multimodal.questions.nets import Net
from torchworks.hybrid_multimodal.questions.predictor import BUILDER, VQAPredictor
from torchworks.hybrid_multimodal.questions.task import Answering
from torchworks.hybrid_multimodal.questions.tokens import TOKENIZER, check_question, tokenized
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Part, ResidentLoader, held_out, open_source, resident
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import read
from torchworks.shared.data.tokenized import padded
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import picture, prepare, prepare_image_file, save_image
from torchworks.shared.text import Words, from_json

SIDE = 256
"""Pixels along an image that a map is drawn over, at least."""
SHOWN = 8
FONT, LINE = 13, 34


@dataclass(frozen=True)
class OpenedVQA:
    """A finished run that answers questions."""

    run: FinishedRun
    tokenizer: Words
    answers: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, device: str) -> "OpenedVQA":
        """Raises `UserError` unless `folder` is such a run."""
        run = open_run(folder, "hybrid-multimodal", device)
        if read_manifest(folder).builder != BUILDER:
            raise UserError(
                f"{folder} is a run of {run.config.recipe}, which answers no questions. Give a run of the recipe vqa."
            )
        tokenizer = cast(Words, from_json(read_files(folder)[TOKENIZER]))
        return cls(run, tokenizer, run.predictor.signature.outputs[0].labels)

    @property
    def predictor(self) -> VQAPredictor:
        return cast(VQAPredictor, self.run.predictor)

    @property
    def net(self) -> Net:
        return cast(Net, self.run.predictor.net)

    def tokens(self, question: str) -> Tensor:
        """int64 (1, L). Raises `UserError` for a question that the model cannot read."""
        check_question(question, self.tokenizer, self.predictor.longest)
        return padded([question], self.tokenizer, self.predictor.longest)

    def look(self, image: Tensor, tokens: Tensor) -> Tensor:
        """Of an image uint8 (C, S, S), where the net looked, (S, S) in [0, 1]."""
        device = self.run.device
        heat = self.net.look(image[None].to(device).float() / 127.5 - 1, tokens.to(device)).float().cpu()
        size = image.shape[-1]
        return F.interpolate(heat[None], (size, size), mode="bicubic", align_corners=False)[0, 0].clamp(0, 1)


def ask(arguments: Ask) -> int:
    """Print the most likely answers and their probabilities."""
    check_number("--top", arguments.top, 1)
    opened = OpenedVQA.of(arguments.run, arguments.device)
    tokens = opened.tokens(arguments.question)
    if arguments.out is not None:
        prepare_image_file(arguments.out, overwrite=arguments.overwrite, inputs=[arguments.image])
    channels, size = opened.predictor.signature.inputs[0].shape[1:3]
    try:
        image = read(arguments.image, int(channels), int(size))
    except Unreadable as error:
        raise UserError(f"{arguments.image} cannot be read: {error}.") from error
    probability = opened.run.compute(image[None], tokens)[0]
    best = probability.topk(min(arguments.top, len(probability)))
    for number, value in zip(best.indices.tolist(), best.values.tolist(), strict=True):
        print(f"{opened.answers[number]:<12}{value:.3f}")
    if arguments.out is not None:
        save_image(drawn(image, opened.look(image, tokens)), arguments.out)
        print(arguments.out)
    return 0


def drawn(image: Tensor, heat: Tensor) -> Image.Image:
    """An image uint8 (C, S, S), dark but where `heat` (S, S) is high, beside the image itself."""
    scale = max(1, -(-SIDE // image.shape[-1]))
    rgb = image.expand(3, -1, -1)
    lit = (rgb * (0.2 + 0.8 * heat)).round().to(torch.uint8)
    both = torch.cat([rgb, rgb.new_full((3, rgb.shape[1], 2), 255), lit], 2)
    large = picture(both)
    return large.resize((large.width * scale, large.height * scale), Image.Resampling.NEAREST)


# -------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Score the answers on the test part by kind, beside what answers without the picture or the question; draw where
    the net looks."""
    opened = OpenedVQA.of(arguments.run, "auto")
    config = opened.run.config
    assert isinstance(config, VQAConfig)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "looks.png"], overwrite=arguments.overwrite)
    source = open_source(config.data, config.loader, config.seed)
    rest, _ = held_out(resident(source.train), config.valid_fraction, config.seed)
    read = tokenized(source.test, opened.tokenizer, opened.predictor.longest)
    task = Answering(opened.net, answers=opened.answers, lr=1.0, weight_decay=0.0)
    found: dict[str, float] = {}
    for part, rows in parts_of(source.test).items():
        prefix = part and f"{part}_"
        loader = ResidentLoader(read.subset(rows), EVALUATION_BATCH, train=False, device=opened.run.device)
        values = scored(task, loader) | baselines(rest, Part(resident(source.test), rows))
        found |= {f"{prefix}{name}": value for name, value in values.items()}
    write_json(folder / "evaluation.json", found)
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:.4f}")
    draw_looks(opened, source.test, folder / "looks.png")
    print(folder)
    return 0


def draw_looks(opened: OpenedVQA, test: Dataset, file: Path) -> None:
    """Some test images, where the net looked, and what it said."""
    questions, tensors = questions_in(test), resident(test).tensors
    rows = np.linspace(0, len(test) - 1, min(SHOWN, len(test))).astype(int).tolist()
    cells = []
    for place, row in enumerate(rows):
        asked = [i for i, question in enumerate(questions[row]) if question]
        which = asked[place % len(asked)]
        question, tokens = questions[row][which], opened.tokens(questions[row][which])
        said = opened.answers[int(opened.run.compute(tensors["image"][row][None], tokens)[0].argmax())]
        right = opened.answers[int(tensors["answer"][row, which])]
        below = f"{question}\n{said}" + ("" if said == right else f" (wrong: {right})")
        cells.append((drawn(tensors["image"][row], opened.look(tensors["image"][row], tokens)), below))
    width, height = cells[0][0].size
    columns = 2
    sheet = Image.new("RGB", (columns * (width + 12), -(-len(cells) // columns) * (height + LINE + 12)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for place, (cell, text) in enumerate(cells):
        left, top = place % columns * (width + 12) + 6, place // columns * (height + LINE + 12) + 6
        sheet.paste(cell, (left, top))
        draw.text((left, top + height + 2), text, "black", font)
    save_image(sheet, file)
