"""Registers a bundle in MLflow: a run with the bundle's files, what it was made from and its scores, and a version of
the registered model that points at them."""

from dataclasses import asdict
from numbers import Real
from typing import Any

from torchworks.serving.bundle import Bundle, BundleManifest, open_bundle
from torchworks.serving.monitoring.commands import Register
from torchworks.shared.config import UserError

ARTIFACTS = "bundle"


def run(arguments: Register) -> None:
    """Register the bundle, and print the model's address in MLflow. Raises `UserError` for a folder that is no bundle,
    and if MLflow is missing or refuses."""
    bundle = open_bundle(arguments.bundle)
    try:
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise UserError(
            "MLflow is not installed, and registering needs it. Install the extra: `pip install 'serving[mlflow]'`."
        ) from error
    try:
        name, version = register(bundle, arguments)
    except (MlflowException, OSError) as error:
        raise UserError(
            f"MLflow at {arguments.uri} did not take the bundle: {error} Check --uri, and whether the server is up."
        ) from error
    print(f"models:/{name}/{version}")


def register(bundle: Bundle, arguments: Register) -> tuple[str, str]:
    """Name and number of the new version."""
    from mlflow import MlflowClient

    manifest = bundle.manifest
    client = MlflowClient(tracking_uri=arguments.uri, registry_uri=arguments.uri)
    experiment = client.get_experiment_by_name(arguments.experiment)
    found = experiment.experiment_id if experiment else client.create_experiment(arguments.experiment)
    run = client.create_run(found, run_name=f"{manifest.name}-{manifest.version}", tags=_tags(manifest)).info
    for key, value in _parameters(manifest).items():
        client.log_param(run.run_id, key, value)
    for key, value in _scores(manifest).items():
        client.log_metric(run.run_id, key, value)
    client.log_artifacts(run.run_id, str(bundle.folder), ARTIFACTS)
    client.set_terminated(run.run_id)
    name = arguments.name or manifest.name
    _create_model(client, name)
    source = f"{run.artifact_uri}/{ARTIFACTS}"
    version = client.create_model_version(name, source, run.run_id, tags=_tags(manifest)).version
    if arguments.alias:
        client.set_registered_model_alias(name, arguments.alias, version)
    return name, str(version)


def _create_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _tags(manifest: BundleManifest) -> dict[str, str]:
    licences = {entry.name: entry.licence for entry in manifest.data}
    return {
        "torchworks.name": manifest.name,
        "torchworks.version": manifest.version,
        "torchworks.form": manifest.form,
        **{f"torchworks.licence.{name}": licence for name, licence in licences.items()},
    }


def _parameters(manifest: BundleManifest) -> dict[str, Any]:
    names = ("package", "recipe", "builder", "form", "quantize", "pruned", "tolerance", "created", "score", "scored")
    return {name: asdict(manifest)[name] for name in names}


def _scores(manifest: BundleManifest) -> dict[str, float]:
    """Scores by what was scored, such as "eager" and "exported"."""
    return {f"{manifest.score}.{name}": value for name, value in manifest.scores.items() if isinstance(value, Real)}
