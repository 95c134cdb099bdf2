"""The command `serving export`, and the export that `serving serve RUN` makes. Imports no torch until it works."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from torchworks.serving.bundle import BUNDLE, read_bundle
from torchworks.serving.export.commands import Export
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import MANIFEST, sha256

if TYPE_CHECKING:
    from torchworks.serving.export.report import Report

HASTE = 0.1
"""Seconds to measure each model's speed for where somebody waits for the service to start."""
LIBRARIES = ("torch", "onnx", "onnxscript", "torch_pruning")


def run(settings: Export) -> None:
    """Export, say how near the bundle is to the trained model, and print its folder last."""
    print("\n".join((*export(settings).lines(), str(folder_of(settings)))))


def folder_of(settings: Export) -> Path:
    """Where the bundle goes; unless told, into a folder whose name says what was done to the model, such as
    RUN/bundle-onnx-pruned30-int8."""
    removed = f"pruned{100 * settings.prune:g}" if settings.prune else None
    words = ("bundle", settings.format, settings.direction, removed, settings.quantize)
    return settings.out or settings.run / "-".join(filter(None, words))


def export(settings: Export) -> "Report":
    """Make the bundle and return the `Report` on it. Raises `UserError`; then nothing is left behind."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"Exporting needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed. "
            "Install serving[export]; serving a bundle of the format onnx needs none of them."
        )
    from torchworks.serving.export.bundling import make_bundle

    return make_bundle(settings, folder_of(settings))


def export_for_serving(run: Path) -> Path:
    """`RUN/bundle`, an ONNX bundle of the run as it is now; made anew only if the run's model has changed since."""
    folder = run / "bundle"
    both = (folder / BUNDLE).is_file() and (run / MANIFEST).is_file()
    if not both or read_bundle(folder).source != sha256(run / MANIFEST):
        export(Export(run=run, out=folder, overwrite=True, seconds=HASTE))
    return folder
