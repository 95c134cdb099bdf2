"""Makes a bundle: converts, compresses, compares each step with the trained model, and writes all of it down.

Everything is written into a folder beside the target, which is renamed at the end; if anything fails, nothing is left.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from torchworks.serving.bundle import (
    BUNDLE,
    FORMAT,
    PARITY,
    REFERENCE,
    Bundle,
    BundleManifest,
    check_model_name,
    open_bundle,
    tokenizers_of,
)
from torchworks.serving.denoising.graph import StepEngine
from torchworks.serving.engine import Engine, check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.denoising import check_drawing, check_step_form
from torchworks.serving.export.generation import TextScore, check_generator_form, check_greedy, compared_texts
from torchworks.serving.export.golden import write_golden
from torchworks.serving.export.parity import BATCH, Score, closeness, outputs_of, score_of
from torchworks.serving.export.report import Candidate, Report
from torchworks.serving.export.speed import race
from torchworks.serving.export.trained import (
    Arrays,
    Samples,
    Trained,
    drawn_by,
    open_samples,
    open_trained,
    parameters,
    tensors_of,
)
from torchworks.serving.export.writers import OPSET, check_compiler, write_format
from torchworks.serving.formats import MODEL_FILES
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.serving.monitoring.drift import reference
from torchworks.serving.output_kinds import detections
from torchworks.serving.padding import Padding, elastic_sizes, padded_to
from torchworks.serving.parity_rules import compare
from torchworks.serving.torch_engine import TorchEngine
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.machine.device import limit_threads
from torchworks.shared.machine.facts import cpu_flags, cpu_model
from torchworks.shared.models.denoiser import DenoisingStep
from torchworks.shared.models.generator import Generator
from torchworks.shared.models.manifest import GOLDEN, MANIFEST, WEIGHTS, FileEntry, sha256
from torchworks.shared.models.predictor import Predictor, load_predictor
from torchworks.shared.runs.files import check_finished

INT8_TOLERANCE = 0.02
"""Of the golden example of 8-bit models: where a number lies between two steps, another CPU may round it to the
other one."""
MORE_PADDING = 5
"""Positions by which rows are made longer, to see whether a model minds."""
INSTRUCTIONS = ("avx", "amx", "fma", "f16c", "bmi")
"""Beginnings of the names of those instructions that a compiler may use where it finds them."""


@dataclass(frozen=True)
class Work:
    """What every step of an export needs."""

    settings: Export
    trained: Trained
    scored: Samples
    calibration: Samples
    threads: int
    target: Path


def make_bundle(settings: Export, target: Path) -> Report:
    """Make the bundle `target`. Raises `UserError` if it cannot be made with these options, answers differently from
    the trained model, or loses too much of its score."""
    check(settings)
    check_finished(settings.run)
    check_target(target, settings.overwrite)
    trained = open_trained(settings.run, settings.direction)
    check_prunable(trained, settings)
    check_generator_form(trained, settings)
    check_step_form(trained, settings)
    threads = limit_threads()
    work = Work(settings, trained, *open_samples(trained).split(), threads, target)
    with workshop(target) as folder:
        bundle, report = build(work, folder)
        finish(work, bundle, report)
        publish(bundle.folder, target)
    return report


# ---- before anything is made -----------------------------------------------------------------------------


def check(settings: Export) -> None:
    """Raise `UserError` for options that do not go together."""
    form = settings.format
    if form not in MODEL_FILES:
        raise UserError(f"There is no format '{form}'. Formats: {', '.join(MODEL_FILES)}.")
    if settings.name is not None:
        check_model_name(settings.name)
    if not 0 <= settings.prune < 1:
        raise UserError(
            f"--prune is the share of weights to remove, at least 0 and below 1, but it is {settings.prune:g}."
        )
    if settings.quantize and form != "onnx":
        raise UserError(
            f"8-bit integers are made by ONNX Runtime, so --quantize needs --format onnx, but it is {form}."
        )
    if settings.prune and form == "safetensors":
        raise UserError(
            "A pruned net has other shapes than the ones that its builder makes, so its weights alone cannot be "
            "loaded. Give --prune another --format, such as onnx."
        )
    if form == "aoti":
        check_compiler()


def check_prunable(trained: Trained, settings: Export) -> None:
    """Raise `UserError` for a detector to be pruned."""
    if settings.prune and detections(trained.signature):
        raise UserError(
            "A detector's answer comes from several last layers, whose channels are its anchors and classes, and "
            "pruning would take some of those. Leave out --prune; --quantize makes some detectors smaller."
        )


def check_target(target: Path, overwrite: bool) -> None:
    """Raise `UserError` if there is something at `target` that may not be replaced."""
    if not target.exists():
        return
    if not (target / BUNDLE).is_file():
        raise UserError(f"{target} exists and is not a bundle, so it is left alone. Give another --out.")
    if not overwrite:
        raise UserError(f"There is a bundle in {target} already. Add --overwrite to replace it, or give another --out.")


@contextmanager
def workshop(target: Path) -> Iterator[Path]:
    """A folder beside `target` that is gone afterwards."""
    folder = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(made: Path, target: Path) -> None:
    """Put the folder `made` in the place of `target`."""
    if target.exists():
        target.rename(made.with_name("replaced"))
    made.rename(target)


# ---- the model -------------------------------------------------------------------------------------------


def build(work: Work, folder: Path) -> tuple[Bundle, Report]:
    """The model with the options given, in a folder below `folder`, without its papers; each step compared with the
    one before and with the trained model."""
    form, share = work.settings.format, work.settings.prune
    trained = of_trained(work)
    check_padding(work, trained.engine)
    check_drawing(work.trained, trained.engine)
    candidates, notes = [trained], []

    step(f"Converting to {form}")
    bundle = convert(work, folder / "plain", work.trained.predictor)
    candidates.append(judge(work, form, bundle, trained))
    check_same(work, candidates[-1].outputs, trained.outputs)
    notes += check_greedy(work.scored, trained.engine, candidates[-1].engine, form)
    if share:
        step(f"Removing {share:.0%} of the weights")
        predictor = smaller(work)
        bundle = convert(work, folder / "pruned", predictor)
        candidates.append(judge(work, f"{form}, pruned", bundle, trained, parameters(predictor, examples(work))))
        eager = outputs_of(engine_of(work, predictor), work.scored)
        check_same(work, candidates[-1].outputs, eager)
        notes += prune_notes(share, len(work.calibration))
    if work.settings.quantize:
        step("Quantizing")
        bundle, how = integers(work, folder / "int8", bundle)
        label = f"{candidates[-1].label}, int8"
        candidates.append(judge(work, label, bundle, trained, candidates[-1].parameters))
        notes += [*how, *compared_texts(work.scored, trained.engine, candidates[-1].engine)]
    check_loss(work, trained.score, candidates[-1].score)

    timed, load = candidates, None
    if work.settings.seconds:
        step("Measuring speed")
        speeds = race([candidate.engine for candidate in candidates], work.scored, work.settings.seconds)
        timed = [replace(candidate, speeds=tuple(found)) for candidate, found in zip(candidates, speeds, strict=True)]
        load = os.getloadavg()[0]
    return bundle, Report(draft(work, bundle.folder), timed, work.scored, tuple(notes), load)


def step(text: str) -> None:
    """Say what is being done, for it can take minutes."""
    print(f"{text} …", file=sys.stderr, flush=True)


def of_trained(work: Work) -> Candidate:
    """The model as it was trained, run by PyTorch."""
    start = time.perf_counter()
    load_predictor(work.trained.folder)
    seconds = time.perf_counter() - start
    engine = engine_of(work, work.trained.predictor)
    outputs = outputs_of(engine, work.scored)
    return Candidate(
        "trained",
        engine,
        outputs,
        score(work, engine, outputs, engine, outputs),
        closeness(work.trained.signature, outputs, outputs, work.trained.manifest.tolerance),
        (work.trained.folder / WEIGHTS).stat().st_size,
        seconds,
        parameters(work.trained.predictor, examples(work)),
    )


def score(work: Work, engine: Engine, outputs: Arrays, trained_engine: Engine, trained: Arrays) -> Score:
    """Of a model that generates text, how well it predicts it; else by its `outputs`."""
    if isinstance(engine, StatefulEngine) and isinstance(trained_engine, StatefulEngine):
        tokenizers = tokenizers_of(work.trained.folder, work.trained.manifest)
        scoring = TextScore.of(work.scored, trained_engine, tokenizers[engine.spec.tokenizer])
        if scoring is not None:
            return scoring.of_model(engine)
    return score_of(work.trained.signature, outputs, work.scored, trained)


def judge(work: Work, label: str, bundle: Bundle, trained: Candidate, count: int | None = None) -> Candidate:
    """What an exported model, of `count` parameters if not of those of the `trained` one, gives for the samples."""
    start = time.perf_counter()
    engine = open_engine(bundle, threads=work.threads, trust_code=True)
    seconds = time.perf_counter() - start
    outputs = outputs_of(engine, work.scored)
    scored = score(work, engine, outputs, trained.engine, trained.outputs)
    size = bundle.model.stat().st_size
    near = closeness(work.trained.signature, trained.outputs, outputs, work.trained.manifest.tolerance)
    return Candidate(label, engine, outputs, scored, near, size, seconds, count or trained.parameters)


def engine_of(work: Work, predictor: Predictor) -> Engine:
    engine = TorchEngine(predictor.eval(), predictor.graph_inputs, predictor.graph_outputs, "cpu")
    if predictor.denoising is not None:
        return StepEngine(engine, predictor.denoising)
    return engine if predictor.generation is None else StatefulEngine(engine, predictor.generation)


def examples(work: Work) -> tuple[Tensor, ...]:
    """Two rows to trace a net by, or one twice: torch.export takes one row for all that there ever are."""
    if isinstance(work.trained.predictor, Generator | DenoisingStep):
        return work.trained.predictor.example()
    rows = tensors_of(work.trained.signature, work.scored.inputs, 2)
    return tuple(value.expand(2, *value.shape[1:]).contiguous() for value in rows)


def convert(work: Work, folder: Path, predictor: Predictor) -> Bundle:
    """`predictor` in the format of the options, with its golden example, in a new folder."""
    folder.mkdir()
    copy_extra(work, folder)
    write_golden(work.scored, folder, engine_of(work, predictor))
    write_format(work.settings.format, folder, predictor, work.trained.manifest, examples(work))
    return Bundle(folder, draft(work, folder))


def smaller(work: Work) -> Predictor:
    """The trained predictor with fewer channels."""
    from torchworks.serving.export.prune import pruned  # slow to import, and seldom needed

    predictor, samples = work.trained.predictor, work.calibration.batches(BATCH)
    return pruned(
        predictor,
        work.settings.prune,
        examples(work),
        [tensors_of(predictor.signature, batch, BATCH) for batch in samples],
    )


def prune_notes(share: float, rows: int) -> list[str]:
    return [
        f"Pruned: whole channels were removed, by the size of their weights (LAMP), until at least {share:.0%} of the "
        f"weights were gone; batch normalisation was re-estimated over {rows} samples that are not among those of the "
        "score. Nothing was trained again."
    ]


def integers(work: Work, folder: Path, plain: Bundle) -> tuple[Bundle, tuple[str, ...]]:
    """The ONNX model of `plain` with 8-bit integers, in a new folder, with its own golden example; and how it was
    made."""
    from torchworks.serving.export.quantize import quantize  # slow to import, and seldom needed

    folder.mkdir()
    copy_extra(work, folder)
    shutil.copyfile(plain.folder / GOLDEN, folder / GOLDEN)  # by which engines choose their threads; replaced below
    before = calibration_outputs(work, plain)

    def good_enough(_: Path) -> bool:
        found = calibration_outputs(work, Bundle(folder, draft(work, folder)))
        scores = [score_of(work.trained.signature, outputs, work.calibration, before) for outputs in (before, found)]
        return scores[0].loss_of(scores[1]) <= work.settings.max_loss

    how = quantize(
        plain.model, folder / plain.model.name, work.calibration.batches(BATCH), good_enough,
        generates=work.trained.manifest.generation is not None,
    )  # fmt: skip
    bundle = Bundle(folder, draft(work, folder))
    write_golden(work.scored, folder, open_engine(bundle, threads=work.threads))
    return bundle, how


def calibration_outputs(work: Work, bundle: Bundle) -> Arrays:
    return outputs_of(open_engine(bundle, threads=work.threads), work.calibration)


def copy_extra(work: Work, folder: Path) -> None:
    """The files that the run's model was saved with besides, such as a tokenizer."""
    for entry in work.trained.manifest.extra:
        shutil.copyfile(work.trained.folder / entry.name, folder / entry.name)


# ---- gates -----------------------------------------------------------------------------------------------


def check_same(work: Work, found: Arrays, wanted: Arrays) -> None:
    """Raise `UserError` unless a converted model answers as the one that it was made from, by `parity_rules.py`."""
    tolerance = work.trained.manifest.tolerance
    for each in compare(work.trained.signature, wanted, found, tolerance):
        if not each.same:
            how = f"'{each.output}' differs by {each.largest:.3g} from the trained model's, allowed is {tolerance:g}"
            if each.share is not None:
                how = f"only {each.share:.2%} of {each.count:,} {each.what} of '{each.output}' are the trained model's"
            raise UserError(
                f"As {work.settings.format} the model answers differently: over {len(work.scored)} samples {how}. "
                "Nothing was written. Try another --format; safetensors always answers as trained."
            )


def check_padding(work: Work, engine: Engine) -> None:
    """Raise `UserError` if the answers for a few rows change when more padding follows them: rows of different lengths
    are padded to one length wherever they meet."""
    made = work.trained.manifest
    padding = Padding(work.trained.signature, made.preprocessing, tokenizers_of(work.trained.folder, made))
    inputs, sizes = work.scored.rows(slice(4)).inputs, elastic_sizes(work.trained.signature, padding.pads)
    longer = dict(inputs)
    for spec in work.trained.signature.inputs:
        if spec.name in padding.pads and (size := str(spec.shape[1])) in sizes:
            length = min(inputs[spec.name].shape[1] + MORE_PADDING, work.trained.signature.most.get(size, 1 << 30))
            longer[spec.name] = padded_to(inputs[spec.name], length, padding.pads[spec.name])
    if all(longer[name].shape == value.shape for name, value in inputs.items()):
        return
    wanted, found = engine.run(inputs), engine.run(longer)
    found = {name: value[tuple(map(slice, wanted[name].shape))] for name, value in found.items()}
    for each in compare(work.trained.signature, wanted, found, made.tolerance):
        if not each.same:
            raise UserError(
                f"The model's answers change with the padding behind a row: '{each.output}' differs by "
                f"{each.largest:.3g} when {MORE_PADDING} more positions are padding, allowed is {made.tolerance:g}. "
                "Mask the padding in the model (in attention, in means, in convolutions), or leave `pad` out of the "
                "signature and take rows of one length only."
            )


def check_loss(work: Work, trained: Score, exported: Score) -> None:
    """Raise `UserError` if the exported model has lost more of its score than it may."""
    loss = trained.loss_of(exported)
    scale = max(1.0, abs(trained.value)) if trained.in_units else 1.0  # of an error in units, a share of it
    allowed = work.settings.max_loss * scale
    if not loss <= allowed:  # NaN is not less than anything
        raise UserError(
            f"The smaller model is too much worse: its {trained.name} over {len(work.scored)} samples is "
            f"{exported.value:.4f}, the trained model's {trained.value:.4f}; it may lose {allowed:g}. Nothing was "
            f"written. Allow more by --max-loss, remove less by --prune, or leave --quantize out."
        )


# ---- papers ----------------------------------------------------------------------------------------------


def draft(work: Work, folder: Path) -> BundleManifest:
    """What `serving.json` says, of the files that `folder` has by now; without figures."""
    settings, made = work.settings, work.trained.manifest
    name = "-".join(filter(None, (made.recipe, settings.direction)))
    entries = tuple(FileEntry.of(path) for path in sorted(folder.iterdir()) if path.name != BUNDLE)
    model = next((entry for entry in entries if entry.name == MODEL_FILES[settings.format]), None)
    return BundleManifest(
        format=FORMAT,
        name=settings.name or name,
        version=model.sha256[:12] if model else "none",
        created=present().isoformat(timespec="seconds"),
        form=settings.format,
        legacy=settings.format == "torchscript",
        package=made.package,
        recipe=made.recipe,
        builder=made.builder,
        quantize=settings.quantize or "",
        pruned=settings.prune,
        source=sha256(work.trained.folder / MANIFEST),
        direction=made.config.get("direction", ""),
        signature=work.trained.signature,
        defaults={spec.name: drawn_by(spec) for spec in work.trained.signature.inputs if spec.kind == "latent"},
        max_rows=BATCH,
        preprocessing=made.preprocessing,
        labels=made.labels,
        tolerance=INT8_TOLERANCE if settings.quantize else made.tolerance,
        score="",
        scored=len(work.scored),
        scores={},
        parity={},
        machine=f"{cpu_model()}, {work.threads} thread{'s' * (work.threads > 1)}",
        data=made.data,
        versions=versions(settings),
        generation=made.generation,
        denoising=work.trained.predictor.denoising,
        instructions=tuple(sorted(flag for flag in cpu_flags() if flag.startswith(INSTRUCTIONS)))
        if settings.format == "aoti"
        else (),
        files=entries,
    )


def present() -> datetime:
    """The time to write down: now, or what SOURCE_DATE_EPOCH says for builds that are to be repeated byte for byte
    (https://reproducible-builds.org/specs/source-date-epoch/)."""
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(said), UTC) if said.isdecimal() else datetime.now(UTC)


def versions(settings: Export) -> dict[str, Any]:
    """Of what made the files."""
    known = {name: version(name) for name in ("torch", "onnx", "onnxruntime")}
    return known | ({"opset": str(OPSET)} if settings.format == "onnx" else {})


def finish(work: Work, bundle: Bundle, report: Report) -> None:
    """Write the bundle's papers, then open it as anybody would and replay its golden example."""
    folder = bundle.folder
    write_reference(work, folder, report.candidates[-1].outputs)
    (folder / PARITY).write_text(report.markdown(), encoding="utf-8")
    manifest = replace(draft(work, folder), **report.figures())
    (folder / BUNDLE).write_text(json.dumps(to_dict(manifest), indent=2) + "\n", encoding="utf-8")
    made = open_bundle(folder)
    check_golden(made, open_engine(made, threads=work.threads, trust_code=True))


def write_reference(work: Work, folder: Path, outputs: Arrays) -> None:
    """How inputs and outputs are spread over the samples, for the service to notice drift by."""
    found = reference(work.trained.signature, work.scored.inputs, outputs)
    (folder / REFERENCE).write_text(json.dumps(found) + "\n", encoding="utf-8")
