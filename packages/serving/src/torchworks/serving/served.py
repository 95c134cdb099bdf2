"""A model that answers: a bundle that was verified, opened, warmed up and has replayed its golden example.

served = ServedModel.load(Path("bundles/classify-digits"), settings)
outputs = await served.predict({"image": images}, deadline=time.monotonic() + 1)
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from torchworks.serving.batching import Answer, Arrival, Batcher
from torchworks.serving.bundle import Bundle, open_bundle
from torchworks.serving.codecs import Codec
from torchworks.serving.denoising.engine import DrawingEngine
from torchworks.serving.denoising.graph import StepEngine
from torchworks.serving.denoising.images import PART
from torchworks.serving.engine import Engine, check_golden, open_engine
from torchworks.serving.errors import Refusal
from torchworks.serving.generation.engine import GenerationEngine
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.serving.largest_image import in_pieces
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.sounds import warm_up
from torchworks.serving.warmup import Best, best_batch
from torchworks.shared.config import UserError

log = logging.getLogger("torchworks.serving")
Arrays = dict[str, np.ndarray]


class ServedModel:
    """One version of a model. Code that uses it over several steps takes a `lease`, and it is not closed before all of
    these have ended."""

    def __init__(self, bundle: Bundle, engine: Engine, limits: Limits):
        limits = replace(limits, batch_rows=min(limits.batch_rows, bundle.manifest.max_rows))
        self.bundle, self.manifest, self.engine = bundle, bundle.manifest, engine
        self.name, self.version = bundle.manifest.name, bundle.manifest.version
        self.signature = bundle.manifest.signature
        self.codec = Codec(bundle.manifest, limits, bundle.tokenizers())
        self.golden, _ = bundle.golden()
        self.leases = 0
        self.best = Best(1, math.inf)
        run = in_pieces(engine.run, self.signature)
        self.batcher = Batcher(
            run, self.signature, limits, self._prepare, f"{self.name}-{self.version}", self.codec.padding.pads
        )
        self.batcher.batch_rows, self.batcher.throughput.rate = self.best.rows, self.best.rate / 2  # HTTP has its share
        try:
            self.generation = _generation(bundle, engine, limits)
            self.drawing = _drawing(bundle, engine, self.golden, limits)
        except UserError:
            self.batcher.close()
            raise

    @classmethod
    def load(cls, bundle: Path | Bundle, settings: Settings) -> "ServedModel":
        """From a bundle's folder, or a bundle that was opened already. Raises `UserError` for one that is damaged, does
        not open, or does not give its golden outputs."""
        bundle = open_bundle(bundle) if isinstance(bundle, Path) else bundle
        engine = open_engine(bundle, threads=settings.threads, device=settings.device, trust_code=settings.trust_code)
        return cls(bundle, engine, settings.limits)

    def _prepare(self) -> None:
        """In the model's own thread: the golden example, then batches of all sizes."""
        difference = check_golden(self.bundle, self.engine)
        warm_up(self.signature)
        if self.signature.rows_name:
            self.best = best_batch(self._run_golden, self.codec.limits.batch_rows)
        log.info(
            "%s %s is ready; its golden example differs by %.2g, and it computes %.4g rows a second, %d at a time",
            self.name, self.version, difference, self.best.rate, self.best.rows,
        )  # fmt: skip

    def _run_golden(self, rows: int) -> None:
        """The golden example, over and over."""
        try:
            self.engine.run({name: np.resize(value, (rows, *value.shape[1:])) for name, value in self.golden.items()})
        except Exception as error:
            raise UserError(f"The model in {self.bundle.folder} fails on {rows} rows: {error}.") from error

    @property
    def ready(self) -> bool:
        return self.alive and self.batcher.ready

    @property
    def alive(self) -> bool:
        return self.batcher.alive and all(engine.alive for engine in self._engines)

    @property
    def idle(self) -> bool:
        return self.batcher.idle and all(engine.idle for engine in self._engines)

    @property
    def _engines(self) -> list[GenerationEngine | DrawingEngine]:
        """What computes beside the batcher."""
        return [engine for engine in (self.generation, self.drawing) if engine is not None]

    def refusal(self, route: str) -> Refusal | None:
        """Why a request that comes now by `route`, "generate" or another, is turned away, if it is."""
        if self.drawing is not None:
            return self.drawing.refusal()
        return self.generation.refusal() if route == "generate" and self.generation else self.batcher.refusal()

    def arrival(self) -> Arrival:
        """A request for a prediction that has come. Raises `Refusal` if too many are before it."""
        if self.drawing is not None and (refusal := self.drawing.refusal()):
            raise refusal
        return self.batcher.arrival()

    @property
    def part_rows(self) -> int:
        """Most rows of a job that are computed at once, so that there is room for others beside them."""
        return PART if self.drawing is not None else self.codec.limits.batch_rows

    @property
    def waiting_rows(self) -> int:
        return self.batcher.queued_rows + sum(engine.waiting_rows for engine in self._engines)

    @property
    def running_rows(self) -> int:
        return self.batcher.running_rows + sum(engine.running_rows for engine in self._engines)

    async def predict(self, inputs: Arrays, deadline: float) -> Arrays:
        """Outputs for inputs that fit the signature; `deadline` is by `time.monotonic()`. Raises `Refusal`."""
        return (await self.answer(inputs, deadline)).outputs

    async def answer(self, inputs: Arrays, deadline: float) -> Answer:
        """The same with the seconds that it took."""
        if self.drawing is not None:
            return await self.drawing.answer(inputs, deadline)
        return await self.batcher.submit(inputs, deadline)

    @contextlib.contextmanager
    def lease(self) -> Iterator["ServedModel"]:
        """Keeps the model open."""
        self.leases += 1
        try:
            yield self
        finally:
            self.leases -= 1

    async def drain(self) -> None:
        """Return when nobody uses the model any more."""
        while self.leases:
            await asyncio.sleep(0.01)
        await self.batcher.drain()
        for engine in self._engines:
            await engine.drain()

    def close(self) -> None:
        """End its threads."""
        self.batcher.close()
        for engine in self._engines:
            engine.close()


def _drawing(bundle: Bundle, engine: Engine, golden: Arrays, limits: Limits) -> DrawingEngine | None:
    """What draws step by step, of a diffusion model."""
    if not isinstance(engine, StepEngine):
        return None
    name = f"{bundle.manifest.name}-{bundle.manifest.version}"
    return DrawingEngine(engine.evaluate, engine.spec, golden, limits, name)


def _generation(bundle: Bundle, engine: Engine, limits: Limits) -> GenerationEngine | None:
    """What generates text, of a model that does."""
    if not isinstance(engine, StatefulEngine):
        return None
    return GenerationEngine(engine.advance, engine.spec, limits, f"{bundle.manifest.name}-{bundle.manifest.version}")
