"""Folders of runs as a training leaves them, written without one."""

import json
from pathlib import Path

from PIL import Image

CARD = """# {recipe} on digits

The recipe, with the scores that it reaches as it stands; this run's own are below:

{about}

## How it was made

```
{command}
```

## Scores

| metric | value |
|---|---|
| accuracy | {accuracy} |

![curves](curves.png)
"""


def write_run(
    folder: Path,
    *,
    package: str = "cnn-vision",
    recipe: str = "classify",
    accuracy: float = 0.9,
    seed: int = 0,
    lr: float = 0.01,
    about: str = "A classifier.",
    command: str | None = None,
    data: str = "digits",
    picture: bool = True,
) -> Path:
    """A finished run with a score, two baselines, an interval, two curves and a picture."""
    (folder / "samples").mkdir(parents=True)
    config = {"package": package, "recipe": recipe, "data": data, "seed": seed, "optim": {"lr": lr, "momentum": 0.9}}
    result = {
        "accuracy": accuracy,
        "nll": 0.25,
        "accuracy_low": accuracy - 0.05,
        "accuracy_high": accuracy + 0.05,
        "accuracy_majority_class": 0.1,
        "accuracy_baseline": 0.75,
        "n_test": 100,
        "steps": 20,
        "seconds": 1.5,
        "parameters": 1234,
        "samples_per_second": 100.0,
        "stopped_by": "steps",
        "findings": [],
    }
    lines = [{"kind": "train", "step": step, "train/loss": 2 / step, "lr": lr} for step in range(1, 21)]
    lines += [
        {"kind": "eval", "step": step, "accuracy": accuracy * step / 20, "accuracy_low": 0.1, "nll": 1 / step}
        for step in (10, 20)
    ]
    command = command or f"{package} train {recipe} --data {data} --seed {seed}"
    card = CARD.format(recipe=recipe, about=about, command=command, accuracy=accuracy)
    environment = {"started": f"2026-11-{10 + seed}T10:00:00Z", "device": "cpu", "command": ["x", "train"]}
    for name, content in (("config", config), ("result", result), ("env", environment)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")
    if picture:
        for step, grey in ((10, 90), (20, 200)):
            Image.new("L", (32, 32), grey).save(folder / f"samples/samples-{step:08d}.png")
    return folder
