"""The data source `easy-vqa`: 5,000 pictures of one shape on a plain ground, with 48,248 questions about them.

The files come with the package easy-vqa 1.0 (MIT; Victor Zhou 2019, https://github.com/vzhou842/easy-VQA); they are
read, and nothing of it is imported. Three shapes in eight colors; 38,575 questions about 4,000 training pictures, 9,673
about 1,000 test pictures, in 107 phrasings, with 13 answers. Three of four answers are yes or no, and a table from
question to its most frequent answer is right for two of three."""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from torchworks.hybrid_multimodal.data.questions import padded_questions, question_schema
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import Schema, Source, TensorDataset
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.split import fingerprint

NAME = "easy-vqa"
SIDE = 64
Asked = dict[int, list[tuple[str, str]]]
"""Questions and answers by the number of their picture."""


def open_easy_vqa(rest: str, config: LoaderConfig, seed: int) -> Source:
    """For an entry point in the group `torchworks.sources`. Raises `UserError` where the package is not installed."""
    config = ImageConfig.of(config, NAME)
    if rest:
        raise UserError(f"The data source '{NAME}' takes nothing after a colon; '{rest}' was given.")
    folder = _folder()
    answers = tuple(sorted((folder / "answers.txt").read_text(encoding="utf-8").split()))
    asked = {part: _questions(folder / part / "questions.json") for part in ("train", "test")}
    rows = [of_picture for part in asked.values() for of_picture in part.values()]
    most, longest = max(map(len, rows)), max(len(question.encode()) for row in rows for question, _ in row)
    channels = config.channels or 3
    schema = question_schema((channels, config.image_size, config.image_size), most, longest, answers)
    train, test = (_part(folder / part / "images", asked[part], answers, schema) for part in ("train", "test"))
    mark = fingerprint(*(sorted(part.items()) for part in asked.values()))
    return Source(NAME, "MIT (Victor Zhou 2019, easy-VQA)", train, test, schema, mark)


def _folder() -> Path:
    try:
        return Path(str(distribution("easy-vqa").locate_file("easy_vqa/data")))
    except PackageNotFoundError as error:
        raise UserError(
            "The pictures and questions of easy-vqa come with the package easy-vqa, which is not installed. Install "
            "the extra hybrid-multimodal[vqa], or use --data scene-questions, which needs none."
        ) from error


def _questions(file: Path) -> Asked:
    found: Asked = {}
    for question, answer, number in json.loads(file.read_text(encoding="utf-8")):
        found.setdefault(number, []).append((question, answer))
    return found


def _part(images: Path, asked: Asked, answers: tuple[str, ...], schema: Schema) -> TensorDataset:
    pixels = np.empty((len(asked), SIDE, SIDE, 3), np.uint8)
    for place, number in zip(pixels, sorted(asked), strict=True):
        with Image.open(images / f"{number}.png", formats=("PNG",)) as image:
            place[:] = np.asarray(image.convert("RGB"))
    channels, size, _ = schema["image"].shape
    whole = fit(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), channels, size)
    question, answer = padded_questions([asked[number] for number in sorted(asked)], answers, schema)
    return TensorDataset({"image": whole, "question": question, "answer": answer}, schema)
