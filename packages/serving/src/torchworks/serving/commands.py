"""Command-line arguments. Imports neither torch nor FastAPI, so that `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg, configure

from torchworks.serving.export.commands import Export
from torchworks.serving.monitoring.commands import Register
from torchworks.serving.monitoring.settings import MonitorSettings
from torchworks.shared.cli import Command

Models = Annotated[
    tuple[Path, ...],
    Positional,
    arg(
        metavar="BUNDLE|RUN", help="Bundles, or finished runs, which are exported to RUN/bundle.", help_behavior_hint=""
    ),
]
AllowedHosts = Annotated[
    tuple[str, ...],
    UseAppendAction,
    arg(metavar="NAME", help_behavior_hint="(default: this machine's own; with a key or beyond this machine any)"),
]
Threads = Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: the CPUs granted, shared out)")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Serve:
    """Answer requests to models over HTTP.

    Each model is verified, opened, warmed up, and must replay its golden example before anything is answered. SIGTERM
    and Ctrl+C let the requests that have come be answered first.
    """

    models: Models = ()
    host: str = "127.0.0.1"
    """Address to listen at. Any but this machine's own needs --api-key-file."""
    port: int = 8000
    """Port to listen at; 0 takes a free one."""
    api_key_file: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: no key)")] = None
    """File with the key that callers must send in X-API-Key, or as a bearer token."""
    admin_token_file: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: no /admin)")] = None
    """File with the token for /admin, which is open to this machine only."""
    admin_port: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: that of --port)")] = None
    """Port of this machine at which alone /admin is answered; needed behind a proxy. 0 takes a free one."""
    bundles: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: none)")] = None
    """Folder whose bundles may be loaded through /admin, by the names of their folders."""
    allowed_hosts: AllowedHosts = ()
    """Host name that requests may use, such as models.example.org, *.example.org, or * for any; repeat it for more."""
    public_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="(default: no proxy)")] = None
    """Address that callers use where a proxy stands in front, such as https://example.org/ai: for links, commands,
    OpenAPI, and requests of the service's own page."""
    allow_origin: Annotated[
        tuple[str, ...], UseAppendAction, arg(metavar="ORIGIN", help_behavior_hint="(default: none)")
    ] = ()
    """Origin whose pages may use a service with a key (CORS), such as https://app.example.org, or * for any; repeat it
    for more."""
    insecure_listen: bool = False
    """Listen beyond this machine without a key: anyone who reaches the port may use the models."""
    threads: Threads = None
    """Threads that compute each model."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What computes."""
    trust_code: bool = False
    """Also open formats that can run their maker's code: pt2, aoti and torchscript."""
    max_body: Annotated[int, arg(metavar="BYTES")] = 16 << 20
    """Largest body of a request."""
    queue: Annotated[int, arg(metavar="ROWS")] = 512
    """Rows that may wait for one model; further requests get 429."""
    batch: Annotated[int, arg(metavar="ROWS")] = 32
    """Rows that a model computes at once."""
    deadline: Annotated[float, arg(metavar="SECONDS")] = 10.0
    """Longest that a request may take; later it gets 504."""
    texts: Annotated[int, arg(metavar="ROWS")] = 16
    """Texts that a model generates at once."""
    max_tokens: Annotated[int, arg(metavar="N")] = 1024
    """Tokens of one text that a request may have generated."""
    max_text: Annotated[int, arg(metavar="N")] = 32_768
    """Tokens of one text or prompt that a request may send."""
    log: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: in memory only)")] = None
    """Folder for the log of predictions and what the retraining command prints."""
    monitor: MonitorSettings = field(default_factory=MonitorSettings)


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class CheckBundle:
    """Verify a bundle, open it, replay its golden example, and say what it is."""

    bundle: Annotated[Path, Positional, arg(metavar="BUNDLE", help_behavior_hint="")]
    """Directory of a bundle."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What computes."""
    trust_code: bool = False
    """Also open formats that can run their maker's code: pt2, aoti and torchscript."""


COMMANDS = {
    "export": Command(Export, "torchworks.serving.export.run:run"),
    "check": Command(CheckBundle, "torchworks.serving.serve:check"),
    "serve": Command(Serve, "torchworks.serving.serve:serve"),
    "register": Command(Register, "torchworks.serving.monitoring.mlflow_registry:run"),
}
