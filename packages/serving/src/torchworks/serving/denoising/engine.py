"""Images of many callers drawn together: between any two evaluations of the net they join a batch and leave it.

    engine = DrawingEngine(graph.evaluate, spec, limits)
    request = DrawRequest(spec, inputs)
    engine.submit(request, seconds)
    images = await request.images(seconds)

One thread a model computes. In each round it puts together what all parts want to be evaluated next, whatever their
steps, samplers and guidance, as rows know nothing of each other. Requests take turns: of each a part of some images is
drawn, and then one of the next.

What a caller can rely on:
- an image follows from its own latent, condition and options, whatever is drawn beside it (to the last bits of float32,
  which depend on the size of a batch);
- images that are not numbers fail alone; a round that fails is tried part by part, and only those fail that must;
- a request is refused at once (429) if it would have to wait too long, which is estimated from the evaluations that are
  before it, not from the number of images; and if it would itself take longer than it may (422);
- images of a caller that went away are left before the next evaluation;
- if the thread dies, everybody who waits is told at once (503), and another one is started.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from torchworks.serving.batching import Answer, busy, model_failed, restarting
from torchworks.serving.denoising.images import DrawRequest, Part, Piece
from torchworks.serving.denoising.walk import Walk
from torchworks.serving.errors import Refusal, invalid, stopping
from torchworks.serving.limits import Limits
from torchworks.serving.padding import padded_to
from torchworks.shared.config import UserError
from torchworks.shared.models.denoising import IMAGE, PREDICTED, Arrays, DenoisingSpec, Evaluate, shown

RESTART_SECONDS = 1.0
"""Pause before a thread that died is replaced; it doubles each time."""
NEWEST = 0.1
"""Weight of the newest measurement of the rate."""
log = logging.getLogger("torchworks.serving")


class DrawingEngine:
    """One model's images. Whoever builds it waits until the model has run once at full size, and gets what that raises.
    `stepped` is told of the rows of each round."""

    def __init__(self, evaluate: Evaluate, spec: DenoisingSpec, golden: Arrays, limits: Limits, name: str = "model"):
        self.spec, self.limits, self.name = spec, limits, name
        self.stepped: Callable[[int], object] = lambda rows: None
        self.rate = 0.0
        """Rows that are evaluated in a second, where there are many."""
        self._evaluate = evaluate
        self._waiting: deque[DrawRequest] = deque()
        self._walks: list[Walk] = []
        self._wake, self._open, self._over, self._deaths = threading.Event(), True, False, 0
        self._began: float | None = None  # of what is computed now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._measure(golden)
        self._thread = self._start()

    # ---- callers -----------------------------------------------------------------------------------------

    def refusal(self) -> Refusal | None:
        """Why a request that comes now is turned away, if it is."""
        if not self._open:
            return stopping()
        if not self.ready:
            return restarting()
        wait = self._seconds_before()
        return busy(wait) if wait > self.limits.draw_wait or self.waiting_rows >= self.limits.queue_rows else None

    def _seconds_before(self) -> float:
        """Until there is a place for another request, at most; 0 if there is one."""
        waiting, running = list(self._waiting), [walk.part for walk in list(self._walks)]
        if not waiting and self.running_rows < self.limits.draw_rows:
            return 0.0
        before = [*running, *(part for request in waiting for part in list(request.parts))]
        return sum(part.left for part in before if not part.request.cancelled) / self.rate

    def submit(self, request: DrawRequest, seconds: float) -> None:
        """Draw the images of a request that may take so long. Raises `Refusal`."""
        self._loop = asyncio.get_running_loop()
        if not self._open:
            raise stopping()
        if not self.ready:
            raise restarting()
        own, wait = request.evaluations / self.rate, self._seconds_before()
        if own > seconds:
            raise invalid(
                f"{len(request)} images in this way take about {own:.0f} s here, and a request may take {seconds:.0f}. "
                "Ask for fewer images or steps, or send them as a job."
            )
        if wait + own > seconds or self.waiting_rows >= self.limits.queue_rows:
            raise busy(wait)
        self._waiting.append(request)
        self._wake.set()

    async def answer(self, inputs: Arrays, deadline: float) -> Answer:
        """The images of inputs that fit the signature; `deadline` is by `time.monotonic()`. Raises `Refusal`."""
        began = time.monotonic()
        request = DrawRequest(self.spec, inputs)
        self.submit(request, deadline - began)
        images = await request.images(deadline - began)
        return Answer({IMAGE: images}, 0.0, time.monotonic() - began)

    # ---- its life ----------------------------------------------------------------------------------------

    @property
    def waiting_rows(self) -> int:
        return sum(len(part.rows) for request in list(self._waiting) for part in list(request.parts))

    @property
    def running_rows(self) -> int:
        return sum(len(walk.part.rows) for walk in list(self._walks))

    @property
    def idle(self) -> bool:
        return not (self._waiting or self._walks)

    @property
    def alive(self) -> bool:
        """Whether the thread lives and gets on."""
        began = self._began
        stuck = began is not None and time.monotonic() - began > self.limits.stuck_seconds
        return self._thread.is_alive() and not stuck

    @property
    def ready(self) -> bool:
        return self.alive and not self._over

    async def drain(self) -> None:
        """Take no more requests, and return when those that were taken are answered."""
        self._open = False
        while not self.idle and self.alive:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """End the thread after its present round. Those whose images are not drawn are told."""
        self._open = False
        self._give_up(stopping())
        self._wake.set()
        self._thread.join(self.limits.deadline)

    def _give_up(self, why: Refusal) -> None:
        """Tell all that their images will not be drawn."""
        for request in {*self._waiting, *(walk.part.request for walk in self._walks)}:
            request.cancel()
            self._tell(request, Piece(range(0), failure=why))

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._main, name=f"drawing-{self.name}", daemon=True)
        thread.start()
        return thread

    def _died(self) -> None:
        """In the event loop: the thread ended by something worse than an exception of the model's."""
        self._give_up(restarting())
        for walk in self._walks:
            walk.stop()
        self._walks = []
        self._waiting.clear()
        if self._open:
            pause = RESTART_SECONDS * 2 ** min(self._deaths, 5)
            self._deaths += 1
            log.error("the thread that draws by %s died; another one starts in %g s", self.name, pause)
            asyncio.get_running_loop().call_later(pause, self._restart)

    def _restart(self) -> None:
        if self._open:
            self._over = False
            self._thread = self._start()

    # ---- in the thread -----------------------------------------------------------------------------------

    def _measure(self, golden: Arrays) -> None:
        """A round of as many rows as there may be: whether it works, and how long it takes."""
        rows = self.limits.draw_rows * (2 if self.spec.conditions else 1)
        arrays = self.spec.beginning({name: np.resize(each, (rows, *each.shape[1:])) for name, each in golden.items()})
        try:
            for _ in range(2):  # what runs for the first time takes longer
                began = time.monotonic()
                self._evaluate(arrays)
                self.rate = rows / (time.monotonic() - began)
        except Exception as error:
            raise UserError(f"The model '{self.name}' fails to evaluate {rows} rows at a time: {error}.") from error

    def _main(self) -> None:
        try:
            while self._open or not self.idle:
                if self.idle:
                    self._wake.wait()
                    self._wake.clear()
                self._leave()
                self._join()
                if self._walks:
                    self._round()
        except BaseException:
            log.exception("the thread %s ends", threading.current_thread().name)
            self._over = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._died)

    def _leave(self) -> None:
        """Those go that nobody wants any more."""
        for walk in self._walks:
            if walk.part.request.cancelled:
                walk.stop()
        self._walks = [walk for walk in self._walks if not walk.part.request.cancelled]

    def _join(self) -> None:
        """A part of each request that waits, in turn, as far as there is room."""
        while self._waiting:
            request = self._waiting[0]
            if not request.cancelled:
                if self._walks and self.running_rows + len(request.parts[0].rows) > self.limits.draw_rows:
                    return
                self._begin(request.parts.popleft())
            self._waiting.popleft()
            if request.parts and not request.cancelled:
                self._waiting.append(request)

    def _begin(self, part: Part) -> None:
        request = part.request

        def progress(i: int, x: np.ndarray, image: np.ndarray) -> None:
            if not request.cancelled:
                self._tell(request, Piece(part.rows, i + 1, shown(image) if request.previews else None))

        self._keep(Walk(part, self.spec, progress))

    def _keep(self, walk: Walk) -> None:
        """Among those that are drawn, or tell that it is over."""
        if walk.wanted is not None:
            self._walks.append(walk)
        elif walk.images is None:
            self._fail(walk)
        else:
            self._tell(walk.part.request, Piece(walk.part.rows, walk.part.drawing.steps, walk.images, drawn=True))

    def _fail(self, walk: Walk) -> None:
        walk.stop()
        walk.part.request.cancel()
        self._tell(walk.part.request, Piece(walk.part.rows, failure=model_failed()))

    def _round(self) -> None:
        """One evaluation for each part."""
        walks, self._began = self._walks, time.monotonic()
        rows = sum(walk.rows for walk in walks)
        try:
            good = self._evaluated(walks)
        finally:
            self._began, seconds = None, time.monotonic() - self._began
        if rows >= self.limits.draw_rows or rows / seconds > self.rate:  # few rows tell only that it is not lower
            self.rate += NEWEST * (rows / seconds - self.rate)
        self.stepped(rows)
        self._walks = []
        for walk in good:
            walk.go_on()
            self._keep(walk)

    def _evaluated(self, walks: Sequence[Walk]) -> list[Walk]:
        """Bring each what the net predicts; those for which it predicts something."""
        try:
            predicted = self._predicted(walks)
        except Exception as error:
            if len(walks) == 1:
                log.exception("the model failed on %d rows", walks[0].rows)
                self._fail(walks[0])
                return []
            log.warning("an evaluation for %d parts failed, so each is tried alone: %r", len(walks), error)
            return [good for walk in walks for good in self._evaluated([walk])]
        good, start = [], 0
        for walk in walks:
            own, start = predicted[start : start + walk.rows], start + walk.rows
            if np.isfinite(own).all():
                walk.bring(own)
                good.append(walk)
            else:
                log.error("what the model predicts for %d rows is not finite", walk.rows)
                self._fail(walk)
        return good

    def _predicted(self, walks: Sequence[Walk]) -> np.ndarray:
        asked = [walk.wanted for walk in walks if walk.wanted is not None]
        arrays = {name: np.concatenate([each[name] for each in asked]) for name in ("x", "time")}
        for condition in self.spec.conditions:
            arrays[condition.name] = _joined([each[condition.name] for each in asked], condition.nothing)
        predicted = self._evaluate(arrays)[PREDICTED]
        if predicted.shape != arrays["x"].shape:
            raise ValueError(f"x has the shape {arrays['x'].shape}, and what is predicted of it {predicted.shape}")
        return predicted

    def _tell(self, request: DrawRequest, piece: Piece) -> None:
        """From a thread to the event loop."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(request.put, piece)
        except RuntimeError:  # the loop was closed, so nobody waits any more
            request.cancel()


def _joined(parts: Sequence[np.ndarray], nothing: int) -> np.ndarray:
    """Conditions (N,), or (N, T) with what says nothing behind shorter ones."""
    longest = max(part.shape[1:] for part in parts)
    if longest:
        parts = [padded_to(part, longest[0], nothing) for part in parts]
    return np.concatenate(parts)
