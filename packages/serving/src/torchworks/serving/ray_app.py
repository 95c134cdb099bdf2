"""The same service on Ray Serve, for several machines (needs the extra `serving[ray]`).

    ray.init()                                        # or ray.init("auto") on a machine of a cluster
    run([Path("bundles/classify")], replicas=4)

Each replica opens the bundles itself, at the same paths on every machine, and is the whole service: batching, limits
and monitoring are its own. Who may reach Ray's own ports may run any code there: keep these in a network of their own.
"""

from collections.abc import Sequence
from pathlib import Path

from ray import serve

from torchworks.serving.app import ServingApp, create_app
from torchworks.serving.host_check import LOCAL
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError

LOOPBACK = "127.0.0.1"


def application(
    bundles: Sequence[Path], settings: Settings, *, replicas: int = 1, allowed_hosts: Sequence[str] = ()
) -> serve.Application:
    """The service as an application of Ray Serve. A replica takes `settings.threads` CPUs for each bundle."""
    folders = [folder.resolve() for folder in bundles]

    def build() -> ServingApp:
        registry = Registry(settings)
        for folder in folders:
            registry.add(ServedModel.load(folder, settings))
        return create_app(registry, settings, allowed_hosts)

    deploy = serve.deployment(
        name="serving",
        num_replicas=replicas,
        max_ongoing_requests=settings.limits.concurrent,  # Ray's few would leave nothing to batch
        ray_actor_options={"num_cpus": settings.threads * len(folders)},
    )
    return deploy(serve.ingress(build)()).bind()


def run(
    bundles: Sequence[Path],
    settings: Settings | None = None,
    *,
    replicas: int = 1,
    host: str = LOOPBACK,
    port: int = 8000,
) -> None:
    """Deploy the service in the cluster that `ray.init` named; returns when it answers. Raises `UserError` for a `host`
    that other machines reach if `settings` has no key."""
    settings = settings or Settings()
    if host != LOOPBACK and settings.api_key is None:
        raise UserError(f"The host {host} lets other machines use the models, and no key is set: give Settings one.")
    serve.start(http_options={"host": host, "port": port})
    hosts = LOCAL if settings.api_key is None else ()
    serve.run(application(bundles, settings, replicas=replicas, allowed_hosts=hosts), name="serving", route_prefix="/")
