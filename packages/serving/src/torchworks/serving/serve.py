"""The commands `serve` and `check`."""

import asyncio
import contextlib
import errno
import gc
import importlib
import logging
import math
import os
import re
import signal
import socket
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import cast

import uvicorn

from torchworks.serving.app import ServingApp, create_app
from torchworks.serving.bundle import BUNDLE, open_bundle
from torchworks.serving.commands import CheckBundle, Serve
from torchworks.serving.connection import Connection
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.errors import Refusal
from torchworks.serving.host_check import LOCAL, is_loopback
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.monitoring.monitor import Monitor
from torchworks.serving.public_address import PublicAddress, origin_of
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError
from torchworks.shared.machine import facts as machine
from torchworks.shared.models.manifest import MANIFEST
from torchworks.shared.models.signature import TensorSpec
from torchworks.shared.runs.files import check_finished

SHORTEST_SECRET, BACKLOG, LAST_PORT = 16, 2048, 65535
SWITCH_SECONDS = 5e-4
"""For so long a thread may keep the interpreter from others: a tenth of Python's own time, as the event loop must never
wait long (512 right answers a second in place of 375 in the closed loop of `make bench-serving`)."""
GARBAGE = 10_000
"""Objects after which Python looks for garbage; what was made at the start it never looks at again. With Python's own
700, each look into all of it kept requests waiting for some milliseconds; to clear away 50,000 at once takes 70."""
KEEP_ALIVE = 75
"""Seconds for which an idle connection stays: longer than the 60 of nginx and of load balancers, as a proxy that sends
a request on a connection that is just being closed answers 502."""
ACCEPTED = 16
"""New connections that a turn of the event loop takes. libuv takes one for each listening socket and turn, so under
load, when turns are long, others would wait for a quarter of a second before anybody could turn them away."""
LOOPBACK = "127.0.0.1"
HOST = re.compile(r"[A-Za-z0-9_.*-]+|[0-9A-Fa-f:]+")
log = logging.getLogger("torchworks.serving")


def serve(arguments: Serve) -> int:
    """Listen until a signal comes; prints the address when requests are answered."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("torchworks").setLevel(logging.INFO)  # other libraries' warnings are enough
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = _settings(arguments)
    _check_host(arguments, settings)
    _check_proxy(arguments, settings)
    allowed_hosts = _allowed_hosts(arguments, settings)
    _check_models(arguments)
    _check_log(arguments.log)
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(_listen(arguments.host, arguments.port))]
        if arguments.admin_port is not None:
            listeners.append(stack.enter_context(_listen(LOOPBACK, arguments.admin_port)))
            settings = replace(settings, admin_port=listeners[-1].getsockname()[1])
        registry = Registry(settings, Monitor(arguments.monitor, arguments.log))
        for folder in arguments.models:
            _add(registry, folder, settings)
        app = create_app(registry, settings, allowed_hosts)
        Server(app, settings.limits).serve_at(listeners)
    return 0


def _check_models(arguments: Serve) -> None:
    if not arguments.models and arguments.bundles is None:
        raise UserError("Name at least one bundle or run to serve, or a folder of them by --bundles DIR.")
    if arguments.bundles is None:
        return
    if not arguments.bundles.is_dir():
        raise UserError(f"--bundles names {arguments.bundles}, which is no folder.")
    if arguments.admin_token_file is None:
        raise UserError("--bundles is for loading through /admin, which there is only with --admin-token-file FILE.")


def _check_log(folder: Path | None) -> None:
    """A folder that fills up later costs the log alone; one that was never one is a slip."""
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise UserError(f"--log {folder} cannot be made a folder: {error.strerror}. Give another.") from error
    if not writable:
        raise UserError(f"--log {folder} may not be written to by this user. Give another folder, or permission.")


def _add(registry: Registry, folder: Path, settings: Settings) -> None:
    try:
        registry.add(ServedModel.load(bundle_of(folder), settings))
    except Refusal as refusal:
        raise UserError(f"{folder} cannot be served beside the others: {refusal.message}") from refusal


def _settings(arguments: Serve) -> Settings:
    limits = replace(
        Limits(decode_threads=processors()),
        body_bytes=arguments.max_body,
        queue_rows=arguments.queue,
        batch_rows=arguments.batch,
        deadline=arguments.deadline,
        generate_rows=arguments.texts,
        generate_tokens=arguments.max_tokens,
        text_tokens=arguments.max_text,
    )
    for option in ("max_body", "queue", "batch", "deadline", "texts", "max_tokens", "max_text"):
        value = getattr(arguments, option)
        if not 0 < value < math.inf:  # NaN is neither
            raise UserError(f"--{option.replace('_', '-')} must be a number above 0, but it is {value}.")
    if arguments.threads is not None and arguments.threads < 1:
        raise UserError(f"--threads must be at least 1, but it is {arguments.threads}.")
    return Settings(
        limits=limits,
        threads=arguments.threads or max(1, processors() // max(1, len(arguments.models))),
        device=arguments.device,
        trust_code=arguments.trust_code,
        api_key=_secret("--api-key-file", arguments.api_key_file),
        admin_token=_secret("--admin-token-file", arguments.admin_token_file),
        models=arguments.bundles,
        public=None if arguments.public_url is None else PublicAddress.parse("--public-url", arguments.public_url),
        allow_origins=tuple(origin_of("--allow-origin", origin) for origin in arguments.allow_origin),
    )


def processors() -> int:
    """Whole CPUs that this process may use."""
    quota = machine.cpu_quota()
    return max(1, min(machine.affinity(), round(quota) if quota else machine.affinity()))


def _secret(option: str, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option} names {path}, which cannot be read: {error}.") from error
    if len(secret) < SHORTEST_SECRET or not secret.isascii():
        raise UserError(
            f"The secret in {path} must have at least {SHORTEST_SECRET} ASCII characters. Make one by "
            "`python -c 'import secrets; print(secrets.token_urlsafe())'`."
        )
    return secret


def _check_host(arguments: Serve, settings: Settings) -> None:
    if settings.api_key is None and not arguments.insecure_listen and not is_loopback(arguments.host):
        raise UserError(
            f"--host {arguments.host} lets other machines use the models, and no key is set. Add --api-key-file FILE, "
            "or --insecure-listen if whatever stands in front of this service already decides who may."
        )


def _check_proxy(arguments: Serve, settings: Settings) -> None:
    if settings.allow_origins and settings.api_key is None:
        raise UserError(
            "--allow-origin lets pages of other sites use the models, and no key is set by which the service could "
            "tell who they are. Add --api-key-file FILE."
        )
    if arguments.admin_port is not None and settings.admin_token is None:
        raise UserError("--admin-port is where /admin is, which there is only with --admin-token-file FILE.")
    if settings.public and settings.admin_token and arguments.admin_port is None:
        raise UserError(
            "--public-url says that callers come through a proxy, and through one anybody would seem to be on this "
            "machine, which alone may use /admin. Add --admin-port N: /admin is then at that port of 127.0.0.1 only."
        )


def _allowed_hosts(arguments: Serve, settings: Settings) -> tuple[str, ...]:
    """What a service answers to that listens on this machine without a key is this machine's names."""
    for name in arguments.allowed_hosts:
        if not HOST.fullmatch(name):
            raise UserError(
                f"--allowed-hosts takes a name such as models.example.org or *.example.org, without http:// and "
                f"without a port, but it is '{name}'."
            )
    guarded = settings.api_key is not None or not is_loopback(arguments.host)
    return arguments.allowed_hosts or (() if guarded else LOCAL)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, so that a port in use is known before a model is loaded."""
    if not 0 <= port <= LAST_PORT:
        raise UserError(f"--port must be from 0 to {LAST_PORT}, but it is {port}.")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(f"Cannot listen at {host}:{port}: {error.strerror}. {_advice(error)}") from error
    return listener


def _advice(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "Give --host an address of this machine, 127.0.0.1 or 0.0.0.0."
    if error.errno == errno.EACCES:
        return "Ports below 1024 are for the administrator: choose another one by --port N."
    return "If another program uses the port, stop it or choose another one by --port N (0 takes a free one)."


def bundle_of(folder: Path) -> Path:
    """The folder itself if it is a bundle; that of a finished run is made first. Raises `UserError` for other folders
    of runs."""
    runs = [MANIFEST, "config.json", f"*/{MANIFEST}"]
    if not os.access(folder, os.X_OK) or (folder / BUNDLE).is_file() or not any(any(folder.glob(run)) for run in runs):
        return folder
    check_finished(folder)
    try:
        export = importlib.import_module("torchworks.serving.export.run")
    except ModuleNotFoundError as error:
        raise UserError(
            f"{folder} is a run, and exporting it needs {error.name}, which is not installed. Install the extra "
            "serving[export] and the package that made the run, or give a bundle that `serving export` made elsewhere."
        ) from error
    return export.export_for_serving(folder)


class Server(uvicorn.Server):
    """uvicorn that ends well: after a signal new requests get 503 until the others are answered; then it returns."""

    def __init__(self, app: ServingApp, limits: Limits):
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=cast(type[asyncio.Protocol], partial(Connection, app.service)),  # uvicorn only calls it
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=int(limits.deadline) + 5,
        )
        super().__init__(config)
        self.service, self.limits = app.service, limits

    def serve_at(self, listeners: list[socket.socket]) -> None:
        """Serve until a signal comes. The second listener, if there is one, is for administration."""
        before = {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.run([*listeners, *copies(listeners[0])])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        keyed = self.service.settings.api_key is not None
        how = "enter the key there for example requests" if keyed else f"example requests: http://{host}:{port}/docs"
        gc.freeze()  # there is next to no garbage yet, and looking for it takes a twentieth of the start
        gc.set_threshold(GARBAGE, 20, 100)
        print(f"Serving at http://{host}:{port}  ({how})", flush=True)
        if self.service.settings.admin_port is not None:
            print(f"Administered at http://{LOOPBACK}:{self.service.settings.admin_port}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping: %d requests are still being answered", self.service.active)
        await self.service.drained(self.limits.deadline + self.limits.receive_seconds)
        await super().shutdown(sockets)


def copies(listener: socket.socket) -> list[socket.socket]:
    """So many more of it that a turn of the event loop accepts up to `ACCEPTED` connections."""
    return [listener.dup() for _ in range(ACCEPTED - 1)]


def _ignore(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signals that it caught again when it has ended; without this they would kill the process."""


def check(arguments: CheckBundle) -> int:
    """Print a bundle's facts, if it passes."""
    bundle = open_bundle(arguments.bundle)
    engine = open_engine(bundle, threads=processors(), device=arguments.device, trust_code=arguments.trust_code)
    difference = check_golden(bundle, engine)
    manifest = bundle.manifest
    size = sum(entry.bytes for entry in manifest.files)
    facts = {
        "name": manifest.name,
        "version": manifest.version,
        "form": manifest.form + (" (legacy)" if manifest.legacy else ""),
        "made from": f"{manifest.recipe} ({manifest.package}) on {', '.join(entry.name for entry in manifest.data)}",
        "inputs": ", ".join(_written(spec) for spec in manifest.signature.inputs),
        "outputs": ", ".join(_written(spec) for spec in manifest.signature.outputs),
        "classes": ", ".join(manifest.labels[:10]) + (", …" if len(manifest.labels) > 10 else "") or "none",
        "size": f"{size / 1e6:.2f} MB in {len(manifest.files)} files, all as they were made",
        "golden": f"replayed, largest difference {difference:.2g}, allowed {manifest.tolerance:g}",
    }
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name:<{width}}{value}")
    return 0


def _written(spec: TensorSpec) -> str:
    return f"{spec.name}: {spec.kind} {spec.dtype} ({', '.join(map(str, spec.shape))})"
