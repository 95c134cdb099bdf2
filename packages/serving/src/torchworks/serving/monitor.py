"""What the service tells about each prediction, and the monitor that listens to nothing."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from torchworks.serving.bundle import BundleManifest


@dataclass(frozen=True)
class Prediction:
    """One request to a model and what became of it. `time` is in seconds since 1970; `alias` is "champion",
    "challenger", "shadow" or ""; `route` is "predict", "v2" or "job"; `seconds` has decode, queue, run, encode, total.
    """

    time: float
    request_id: str
    model: str
    version: str
    alias: str
    route: str
    status: int
    rows: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)


class Monitor(Protocol):
    """What the service calls; nothing of it raises or waits."""

    def watch(self, name: str, manifest: BundleManifest, reference: dict[str, Any]) -> None: ...

    def note(self, prediction: Prediction) -> None: ...

    def metrics(self) -> bytes: ...

    def close(self) -> None: ...


class NullMonitor:
    """A `Monitor` that keeps nothing."""

    def watch(self, name: str, manifest: BundleManifest, reference: dict[str, Any]) -> None: ...

    def note(self, prediction: Prediction) -> None: ...

    def metrics(self) -> bytes:
        return b""

    def close(self) -> None: ...
