"""Workers in processes of their own, and their gradients in the order in which they arrive.

Shapes: W workers, P numbers of all parameters together.
"""

import contextlib
import dataclasses
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.asynchronous.worker import work
from torchworks.shared.config import UserError
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.training.guard import TrainingFailed


class Workers:
    """An endless loader: a batch is the gradient (1, P) of one worker, the loss and other numbers (1,) that it tells,
    and `lag` (1,), how many steps of others were taken since it read the weights.

    The workers begin with the first batch and end with the iterator, or with this process, however that ends. `agent`
    must be given before.
    """

    agent: nn.Module

    def __init__(self, config: AsynchronousConfig):
        self.config = config
        self._processes: list[Any] = []
        self._orders: list[Connection] = []

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self.iter_from(0)

    def iter_from(self, position: int) -> Iterator[dict[str, Tensor]]:
        """Batches from number `position` on. From another than 0 on, the workers begin with other episodes."""
        try:
            self._start(position)
            begun, taken = [0] * len(self._orders), 0
            for number in range(len(self._orders)):
                self._order(number)
            while True:
                number, told = self._first_answer()
                told |= {"lag": taken - begun[number], "steps": self.config.trainer.batch_size}
                device = next(self.agent.parameters()).device
                batch = {"gradient": self._gradients[number].to(device, copy=True)[None]}
                yield batch | {name: torch.tensor([float(value)]) for name, value in told.items()}
                taken += 1  # the step that this batch was for
                begun[number] = taken
                self._order(number)
        finally:
            self._stop()

    def _start(self, position: int) -> None:
        from torch import multiprocessing

        config, context = self.config, multiprocessing.get_context("spawn")
        if position:
            config = dataclasses.replace(config, seed=mix(config.seed, "again", position))
        with torch.no_grad():
            self._weights = parameters_to_vector(self.agent.parameters()).cpu().clone().share_memory_()
        self._gradients = torch.zeros(config.workers, len(self._weights)).share_memory_()
        with _interrupts_ignored():  # also by the new processes, while they start
            for number in range(config.workers):
                ours, theirs = context.Pipe()
                words = (number, config, self._weights, self._gradients[number], theirs)
                process = context.Process(target=work, args=words, daemon=True)
                process.start()
                theirs.close()  # or the end of the other process would not be noticed here
                self._processes.append(process)
                self._orders.append(ours)

    @torch.no_grad()
    def _order(self, number: int) -> None:
        """Give worker `number` the present weights; others may read them at the same time."""
        self._weights.copy_(parameters_to_vector(self.agent.parameters()))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `_first_answer` says why
            self._orders[number].send("play")

    def _first_answer(self) -> tuple[int, dict[str, float]]:
        """Which worker has played first, and what it tells. Raises `UserError` or `TrainingFailed` if it cannot go
        on."""
        ready = wait(self._orders)[0]
        number = self._orders.index(cast(Connection, ready))
        which = f"worker {number + 1} of {self.config.workers}"
        try:
            told = self._orders[number].recv()
        except (EOFError, ConnectionResetError):
            process = self._processes[number]
            process.join(5)
            code = process.exitcode
            how = f"signal {-code} ended it" if code is not None and code < 0 else f"it ended with the code {code}"
            raise TrainingFailed(
                f"The training cannot go on without {which}: {how}. If the memory was not enough, use fewer --workers "
                "or --rollout.environments; the newest checkpoint is kept, and --resume continues from it."
            ) from None
        if "error" in told:
            if told["mistake"]:
                raise UserError(f"In {which}: {told['error']}")
            raise TrainingFailed(
                f"The training cannot go on, for {which} failed: {told['error']}. `rl check {self.config.data}` looks "
                "for mistakes of the environment; the newest checkpoint is kept, and --resume continues from it."
            )
        return number, told

    def _stop(self) -> None:
        """End all workers; those that play are not waited for."""
        for orders in self._orders:
            orders.close()
        for process in self._processes:
            process.terminate()
        until = time.monotonic() + 5
        for process in self._processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
        self._orders, self._processes = [], []


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread, which alone may
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
