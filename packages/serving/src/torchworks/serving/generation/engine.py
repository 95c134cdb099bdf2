"""Texts of many callers generated together: they join a batch and leave it between any two steps (continuous batching:
Yu et al. 2022, "Orca: a distributed serving system for Transformer-based generative models").

    engine = GenerationEngine(graph.advance, spec, tokenizer, limits)
    request = Generated([Text(…)])
    engine.submit(request)
    async for piece in request.pieces(): …

One thread a model computes. Between two steps it drops the rows whose callers went away and reads a chunk of the
prompts of new rows, if there is room; those that are read to their end join, and all rows take one step. So a prompt of
any length makes the others wait for the reading of one chunk (`prompts.py`) at a time. A text that has outgrown the
model leaves the batch, and its last half joins it again as a prompt does.

What a caller can rely on:
- a text does not depend on the others of its batch: neither its tokens, which are drawn by its own seed, nor its end;
- a row whose logits are not numbers fails alone; a batch that fails is tried row by row, and only those fail that must;
- a request is refused at once (429) if it would have to wait too long, which is estimated from the tokens of all that
  are before it, not from their number;
- rows of a caller that went away leave before the next step;
- if the thread dies, everybody who waits is told at once (503), and another one is started.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from torchworks.serving.batching import busy, model_failed, restarting
from torchworks.serving.errors import Refusal, stopping
from torchworks.serving.generation.prompts import CHUNK, Prompts, Row
from torchworks.serving.generation.texts import Generated, Piece, Text
from torchworks.serving.generation.waiting import Pace, seconds_until_free
from torchworks.serving.limits import Limits
from torchworks.shared.config import UserError
from torchworks.shared.models.generation import Advance, GenerationSpec, RowStates

RESTART_SECONDS = 1.0
"""Pause before a thread that died is replaced; it doubles each time."""
log = logging.getLogger("torchworks.serving")


class GenerationEngine:
    """One model's texts. Whoever builds it waits until the model has run once at full size, and gets what that raises.
    `stepped` is told of the rows of each step."""

    def __init__(self, advance: Advance, spec: GenerationSpec, limits: Limits, name: str = "model"):
        self.spec, self.limits, self.name = spec, limits, name
        self.pace = Pace()
        self.stepped: Callable[[int], object] = lambda rows: None
        self._advance = advance
        self._waiting: deque[Row] = deque()
        self._prompts = Prompts(spec)  # that are read now
        self._rows: list[Row] = []
        self._states = RowStates(spec)
        self._wake, self._open, self._deaths = threading.Event(), True, 0
        self._began: float | None = None  # of what is computed now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._measure()
        self._thread = self._start()

    # ---- callers -----------------------------------------------------------------------------------------

    def refusal(self) -> Refusal | None:
        """Why a request that comes now is turned away, if it is."""
        if not self._open:
            return stopping()
        if not self.ready:
            return restarting()
        wait = self._wait()
        return busy(wait) if wait > self.limits.generate_wait or self.waiting_rows >= self.limits.queue_rows else None

    def _wait(self) -> float:
        """Seconds until one more text gets a place. While none is free, also the prompts of all that are before it are
        read, one after the other."""
        rows, prompts, queued = list(self._rows), list(self._prompts.readings), list(self._waiting)
        running = [self._seconds(text) for _, text in rows if not text.cancelled]
        running += [self._seconds(each.row[1], each.left) for each in prompts if not each.row[1].cancelled]
        queued = [text for _, text in queued if not text.cancelled]
        wait = seconds_until_free(
            self.limits.generate_rows, running, [self._seconds(text, text.remembers) for text in queued]
        )
        unread = sum(each.left for each in prompts) + sum(text.remembers for text in queued)
        return max(wait, self.pace.seconds(unread, 0)) if wait else 0.0

    def _seconds(self, text: Text, unread: int = 0) -> float:
        """That a text will take once it has a place, of which so many tokens are still to be read."""
        return self.pace.seconds(unread + self.spec.read_again(text.remembers, text.left), text.left)

    def submit(self, request: Generated) -> None:
        """Generate the texts of a request. Raises `Refusal`."""
        self._loop = asyncio.get_running_loop()
        if refusal := self.refusal():
            raise refusal
        self._waiting.extend((request, text) for text in request.texts)
        self._wake.set()

    # ---- its life ----------------------------------------------------------------------------------------

    @property
    def waiting_rows(self) -> int:
        return len(self._waiting)

    @property
    def running_rows(self) -> int:
        return len(self._prompts) + len(self._rows)

    @property
    def _all(self) -> list[Row]:
        return [*self._rows, *(each.row for each in self._prompts.readings), *self._waiting]

    @property
    def idle(self) -> bool:
        return not (self._waiting or self._prompts or self._rows)

    @property
    def alive(self) -> bool:
        """Whether the thread lives and gets on."""
        began = self._began
        stuck = began is not None and time.monotonic() - began > self.limits.stuck_seconds
        return self._thread.is_alive() and not stuck

    @property
    def ready(self) -> bool:
        return self.alive

    async def drain(self) -> None:
        """Take no more requests, and return when those that were taken are answered."""
        self._open = False
        while not self.idle and self.alive:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """End the thread after its present step. Those whose texts have not ended are told."""
        self._open = False
        going = self._all
        self._tell(self._deliver, [(request, Piece(text.index, "", failure=stopping())) for request, text in going])
        for request, _ in going:
            request.cancel()
        self._wake.set()
        self._thread.join(self.limits.deadline)

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._main, name=f"generating-{self.name}", daemon=True)
        thread.start()
        return thread

    def _died(self) -> None:
        """In the event loop: the thread ended by something worse than an exception of the model's."""
        for request, text in self._all:
            request.put(Piece(text.index, "", failure=restarting()))
        self._rows, self._prompts, self._states = [], Prompts(self.spec), RowStates(self.spec)
        self._waiting.clear()
        if self._open:
            pause = RESTART_SECONDS * 2 ** min(self._deaths, 5)
            self._deaths += 1
            log.error("the thread that generates by %s died; another one starts in %g s", self.name, pause)
            asyncio.get_running_loop().call_later(pause, self._restart)

    def _restart(self) -> None:
        if self._open:
            self._thread = self._start()

    # ---- in the thread -----------------------------------------------------------------------------------

    def _measure(self) -> None:
        """A prompt of full size, and a step of all rows: whether they work, and how long they take."""
        rows = self.limits.generate_rows
        length = min(self.spec.block or CHUNK, CHUNK) // 2 or 1
        try:
            states = RowStates(self.spec, 1)
            tokens, one = np.zeros((1, length), np.int64), np.ones(rows, np.int64)
            for _ in range(2):  # what runs for the first time takes longer
                began = time.monotonic()
                outputs = self._advance(
                    {"tokens": tokens, "length": one[:1] * length} | RowStates(self.spec, 1).inputs()
                )
                self.pace.read(length, time.monotonic() - began)
            states.extend(outputs, one[:1] * length)
            full = RowStates(self.spec)
            for _ in range(rows):
                full.append(states)
            for _ in range(2):
                began = time.monotonic()
                self._advance({"tokens": np.zeros((rows, 1), np.int64), "length": one} | full.inputs())
                self.pace.stepped(time.monotonic() - began)
        except Exception as error:
            raise UserError(f"The model '{self.name}' fails to generate {rows} texts at a time: {error}.") from error

    def _main(self) -> None:
        try:
            while self._open or not self.idle:
                if self.idle:
                    self._wake.wait()
                    self._wake.clear()
                self._drop()
                self._join()
                self._forget()  # of those too that have just joined
                if self._rows:
                    self._step()
        except BaseException:
            log.exception("the thread %s ends", threading.current_thread().name)
            self._tell(self._died)

    def _drop(self) -> None:
        """Texts leave whose callers went away, and those whose time is over before their prompt was read."""
        for place in range(len(self._rows) - 1, -1, -1):
            if self._rows[place][1].cancelled:
                self._remove(place)
        now = time.monotonic()
        late = [each.row for each in self._prompts.readings if now > each.row[1].options.deadline]
        pieces = [(request, text.out_of_time()) for request, text in late]
        self._prompts.drop()
        if pieces:
            self._tell(self._deliver, pieces)

    def _forget(self) -> None:
        """Texts that have outgrown the model leave, and are the next to be read anew, from their last half on."""
        for place in range(len(self._rows) - 1, -1, -1):
            request, text = self._rows[place]
            if self.spec.outgrown(text.remembers):
                text.forget(self.spec.kept)
                self._waiting.appendleft((request, text))
                self._remove(place)

    def _join(self) -> None:
        """Read a chunk of the prompts whose turn it is; texts whose prompt is read to its end join."""
        while self._waiting and self.running_rows < self.limits.generate_rows:
            if not self._waiting[0][1].cancelled:
                self._prompts.add(self._waiting[0])
            self._waiting.popleft()
        if not self._prompts:
            return
        chunk, began = self._prompts.next(), time.monotonic()
        rows, states, logits = self._read(chunk.rows, chunk.states, chunk.tokens, chunk.length)
        self.pace.read(int(chunk.length.sum()), time.monotonic() - began)
        over = self._prompts.read(chunk, rows, states)
        first = len(self._rows)
        for place in np.flatnonzero(over):
            self._states.append(states.row(place))
            self._rows.append(rows[place])
        self._choose(first, [each for each, joins in zip(logits, over, strict=True) if joins])

    def _step(self) -> None:
        """One token more of each row."""
        tokens = np.array([[text.generated[-1]] for _, text in self._rows])
        began = time.monotonic()
        rows, states, logits = self._read(self._rows, self._states, tokens, np.ones(len(tokens), np.int64))
        self.pace.stepped(time.monotonic() - began)
        self.stepped(len(tokens))
        self._rows, self._states = rows, states
        self._choose(0, logits)

    def _read(
        self, rows: Sequence[Row], states: RowStates, tokens: np.ndarray, length: np.ndarray
    ) -> tuple[list[Row], RowStates, list[np.ndarray]]:
        """Run the graph; the rows on which it does not fail, their states, and their logits."""
        self._began = time.monotonic()
        try:
            outputs = self._advance({"tokens": tokens, "length": length} | states.inputs())
            states.extend(outputs, length)
            return list(rows), states, list(outputs["logits"])
        except Exception as error:
            if len(rows) == 1:
                log.exception("the model failed on a text of %d tokens", len(rows[0][1].prompt))
                self._tell(self._deliver, [(rows[0][0], Piece(rows[0][1].index, "", failure=model_failed()))])
                return [], RowStates(self.spec), []
            log.warning("a step of %d texts failed, so each is tried alone: %r", len(rows), error)
            return self._read_alone(rows, states, tokens, length)
        finally:
            self._began = None

    def _read_alone(
        self, rows: Sequence[Row], states: RowStates, tokens: np.ndarray, length: np.ndarray
    ) -> tuple[list[Row], RowStates, list[np.ndarray]]:
        left, together, logits = list[Row](), RowStates(self.spec), list[np.ndarray]()
        for place, row in enumerate(rows):
            count = length[place : place + 1]
            alone = self._read([row], states.row(place), tokens[place : place + 1, : count[0]], count)
            left += alone[0]
            together.append(alone[1])
            logits += alone[2]
        return left, together, logits

    def _choose(self, first: int, logits: Sequence[np.ndarray]) -> None:
        """The next tokens of the rows from `first` on; rows that end or fail leave."""
        pieces, over = list[tuple[Generated, Piece]](), list[int]()
        for place, row_logits in enumerate(logits, first):
            request, text = self._rows[place]
            try:
                piece = text.accept(text.choose(row_logits), self.spec.end)
            except Exception as error:
                log.error("a text failed after %d tokens: %s", len(text.generated), error)
                piece = Piece(text.index, "", failure=model_failed())
            if piece.finish or piece.failure:
                over.append(place)
            if piece.text or piece.finish or piece.failure:
                pieces.append((request, piece))
        for place in reversed(over):
            self._remove(place)
        if pieces:
            self._tell(self._deliver, pieces)

    def _remove(self, place: int) -> None:
        """As `RowStates.remove`: the last row comes in its place."""
        self._states.remove(place)
        last = self._rows.pop()
        if place < len(self._rows):
            self._rows[place] = last

    def _deliver(self, pieces: Sequence[tuple[Generated, Piece]]) -> None:
        for request, piece in pieces:
            request.put(piece)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        """From the thread to the event loop."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop was closed, so nobody waits any more
            self._waiting.clear()
            for request, _ in self._all:
                request.cancel()
