"""Options of monitoring. Imports nothing heavy, so that `--help` is quick."""

from dataclasses import dataclass, field

from torchworks.shared.config import UserError


@dataclass(frozen=True)
class MonitorSettings:
    """What is kept, when something counts as drift, what a service promises, and what is run when drift stays."""

    rows: int = 100_000
    """Predictions that the log keeps; older ones are deleted."""
    log_bytes: int = 256 << 20
    """Bytes on disk that the log may take, with its side files; at least 1 MiB."""
    keep_inputs: bool = False
    """Also keep the inputs of requests, as they came. Mind whose data these are."""
    input_bytes: int = 1 << 20
    """Most bytes of inputs that are kept of one request; larger ones are left out."""
    queue: int = 8192
    """Predictions that may wait to be noted; further ones are dropped and counted."""
    queue_bytes: int = 64 << 20
    """Bytes of arrays that may wait to be noted; further predictions are noted without theirs."""
    window: int = 1000
    """Rows of each version that are compared with the reference: the last ones."""
    least_rows: int = 100
    """Rows below which drift is not judged; at least 50."""
    false_alarms: float = 0.01
    """The chance that a window without drift is called drifted, over all features of a version."""
    drift_rows_per_second: float = 100.0
    """Rows of each version that are looked at for drift; of more, some are picked by chance."""
    check_seconds: float = 30.0
    """Seconds between two looks at whether drift stays."""
    latency: float = 0.5
    """Seconds in which `latency_share` of the answers should be given."""
    latency_of: dict[str, float] = field(default_factory=dict)
    """The same for single models, by name."""
    latency_share: float = 0.99
    """Share of the answers that should be given in time."""
    success_share: float = 0.999
    """Share of the requests that should not fail through the service's fault (status 500 and above)."""
    budget_days: int = 30
    """Days over which these shares are meant; 4 at least."""
    retrain: tuple[str, ...] = ()
    """A command and its arguments, run without a shell when drift stays. Without one, nothing is run."""
    retrain_checks: int = 3
    """Windows in a row, without common rows, in which the version must have drifted before the command is run."""
    retrain_minutes: float = 60.0
    """Minutes that drift must have stayed before the command is run."""
    retrain_pause: float = 24.0
    """Hours after a start before the command is run again for the same model."""

    def __post_init__(self) -> None:
        for name in ("false_alarms", "latency_share", "success_share"):
            self._check(name, 0 < getattr(self, name) < 1, "between 0 and 1")
        least = {"log_bytes": 1 << 20, "least_rows": 50, "window": self.least_rows, "budget_days": 4, "rows": 1}
        for name, limit in {**least, "queue": 1, "retrain_checks": 1}.items():
            self._check(name, getattr(self, name) >= limit, f"at least {limit}")

    def _check(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise UserError(f"The monitoring setting '{name}' must be {wanted}, but it is {getattr(self, name)}.")
