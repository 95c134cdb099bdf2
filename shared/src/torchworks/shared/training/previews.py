"""What a task shows of itself while it trains, written to files."""

from pathlib import Path

from torch import Tensor


def write_previews(folder: Path, previews: dict[str, Tensor], step: int) -> None:
    """Write `previews` to `folder` as NAME-STEP.png."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for name, picture in previews.items():
        pixels = picture.permute(1, 2, 0).cpu().contiguous().numpy()
        Image.fromarray(pixels).save(folder / f"{name}-{step:08d}.png")
