"""Promises about the manifests for Kubernetes and Docker Compose: they fit each other, the image and the service."""

import json
import re
from pathlib import Path

import pytest
import yaml

SERVING = Path(__file__).resolve().parents[2]
DOCKER, KUBERNETES = SERVING / "docker", SERVING / "kubernetes"
LABELS = {"app.kubernetes.io/name": "serving"}
DRAIN = 45
"""Seconds that the service takes at most to end: what was begun may be received and answered, and then closed."""


def manifest(name: str) -> dict:
    return yaml.safe_load((KUBERNETES / f"{name}.yaml").read_text())


@pytest.fixture(scope="module")
def pod() -> dict:
    return manifest("deployment")["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod) -> dict:
    (only,) = pod["containers"]
    return only


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def image() -> dict[str, str]:
    lines = re.sub(r"\\\n\s*", "", (DOCKER / "Dockerfile.cpu").read_text()).splitlines()
    return {word: rest for word, _, rest in (line.partition(" ") for line in lines)}


NAMES = ("configmap", "deployment", "service", "hpa", "pdb", "networkpolicy")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_a_manifest_fits_the_schema_of_kubernetes(name, version):
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate, which has the schemas")
    validator.validate(manifest(name), version, strict=True)


def test_kustomize_names_every_manifest_and_the_image():
    kustomization = manifest("kustomization")
    assert sorted(kustomization["resources"]) == sorted(f"{name}.yaml" for name in NAMES)
    assert [entry["name"] for entry in kustomization["images"]] == ["serving"]
    files = {path.stem for path in KUBERNETES.glob("*.yaml")}
    assert files == {*NAMES, "kustomization", "servicemonitor"}


def test_all_select_the_same_pods(pod):
    deployment = manifest("deployment")["spec"]
    selectors = [
        deployment["selector"]["matchLabels"],
        deployment["template"]["metadata"]["labels"],
        pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        manifest("service")["spec"]["selector"],
        manifest("pdb")["spec"]["selector"]["matchLabels"],
        manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"],
        manifest("servicemonitor")["spec"]["selector"]["matchLabels"],
        manifest("service")["metadata"]["labels"],  # what the monitor selects
    ]
    assert selectors == [LABELS] * len(selectors)


def test_requests_reach_the_port_that_the_image_listens_at(container):
    assert container["ports"] == [{"name": "http", "containerPort": int(image()["EXPOSE"])}]
    assert manifest("service")["spec"]["ports"][0]["targetPort"] == "http"
    assert manifest("networkpolicy")["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert manifest("servicemonitor")["spec"]["endpoints"][0]["port"] == manifest("service")["spec"]["ports"][0]["name"]


def test_a_pod_gets_requests_only_when_ready_and_is_replaced_only_when_dead(container):
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    ports = {container[f"{name}Probe"]["httpGet"]["port"] for name in paths}
    assert ports == {"http"}
    assert "'/readyz'" in image()["HEALTHCHECK"]


def test_what_was_begun_is_answered_before_a_pod_or_container_is_killed(pod, container, compose):
    code = container["lifecycle"]["preStop"]["exec"]["command"][2]
    pause = int(re.search(r"sleep\((\d+)\)", code)[1])
    unready = container["readinessProbe"]["periodSeconds"] * container["readinessProbe"]["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] > pause + DRAIN
    assert pause >= unready
    assert int(compose["services"]["serving"]["stop_grace_period"].removesuffix("s")) > DRAIN


def test_the_longest_that_the_service_takes_to_end_is_as_assumed_here():
    limits = pytest.importorskip("torchworks.serving.limits").Limits()
    assert limits.deadline + limits.receive_seconds + limits.deadline + 5 == DRAIN
    assert manifest("configmap")["data"] == {
        "DEADLINE": f"{limits.deadline:g}",
        "QUEUE": str(limits.queue_rows),
        "BATCH": str(limits.batch_rows),
    }


def test_updates_and_evictions_leave_a_replica_to_answer():
    scaler = manifest("hpa")["spec"]
    assert scaler["scaleTargetRef"]["name"] == manifest("deployment")["metadata"]["name"]
    assert scaler["minReplicas"] > manifest("pdb")["spec"]["minAvailable"]
    assert manifest("deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in manifest("deployment")["spec"]


def test_a_container_can_do_no_more_than_it_must(pod, container):
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == image()["USER"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert manifest("networkpolicy")["spec"]["egress"] == []


def test_the_log_of_predictions_can_be_written_though_nothing_else_can(pod, container, compose):
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"--log={mounts['log']}" in container["args"]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    (volume,) = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "log"]
    service = compose["services"]["serving"]
    (named,) = [volume for volume in service["volumes"] if isinstance(volume, str)]
    name, _, path = named.partition(":")
    assert f"--log={path}" in service["command"]
    assert name in compose["volumes"]
    settings = pytest.importorskip("torchworks.serving.monitoring.settings").MonitorSettings()
    assert int(volume["sizeLimit"].removesuffix("Mi")) << 20 >= 2 * settings.log_bytes
    assert path in image()["COPY"].split()


def test_a_composed_service_is_asked_for_the_same_key_as_the_image_would(compose):
    words = json.loads(image()["CMD"])
    given = [word for argument in compose["services"]["serving"]["command"] for word in argument.split("=")]
    assert given[: len(words)] == words


def test_the_settings_and_the_key_of_a_pod_are_there(pod, container):
    given = {*manifest("configmap")["data"]}
    assert set(re.findall(r"\$\((\w+)\)", " ".join(container["args"]))) == given
    assert container["envFrom"] == [{"configMapRef": {"name": manifest("configmap")["metadata"]["name"]}}]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (key,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    path = f"{mounts['api-key']}/{key['items'][0]['path']}"
    assert f"--api-key-file={path}" in container["args"]
    assert path in json.loads(image()["CMD"])
    monitor = manifest("servicemonitor")["spec"]["endpoints"][0]["authorization"]["credentials"]
    assert monitor == {"name": key["secretName"], "key": key["items"][0]["key"]}


def test_the_options_that_the_manifests_use_exist(container):
    commands = pytest.importorskip("torchworks.serving.commands")
    names = {f"--{name.replace('_', '-')}" for name in commands.Serve.__dataclass_fields__}
    options = {word.partition("=")[0] for word in container["args"] if word.startswith("--")}
    options |= {word for word in json.loads(image()["CMD"]) if word.startswith("--")}
    assert options <= names


@pytest.mark.parametrize("name", ["serving", "prometheus"])
def test_a_composed_container_can_do_no_more_than_it_must(compose, name):
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "mem_limit", "pids_limit", "tmpfs"} <= set(service)
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "latest" not in service["image"]


def test_prometheus_reaches_the_composed_service_with_its_key(compose):
    config = yaml.safe_load((DOCKER / "prometheus.yaml").read_text())
    (scrape,) = config["scrape_configs"]
    host, port = scrape["static_configs"][0]["targets"][0].split(":")
    assert host in compose["services"]
    assert port == image()["EXPOSE"]
    assert all(service["secrets"] == ["api_key"] for service in compose["services"].values())
    assert scrape["authorization"]["credentials_file"] == "/run/secrets/api_key"
    mounted = {volume.split(":")[1] for volume in compose["services"]["prometheus"]["volumes"]}
    assert {*config["rule_files"], "/etc/prometheus/prometheus.yaml"} <= mounted


def alerts() -> list[dict]:
    groups = yaml.safe_load((DOCKER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_can_be_computed_and_says_what_to_do(alert):
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert {"summary", "action"} == set(alert["annotations"])
    parser = pytest.importorskip("promql_parser", reason="needs promql-parser")
    parser.parse(alert["expr"])


def test_the_alerts_look_at_metrics_that_the_service_has():
    metrics = pytest.importorskip("torchworks.serving.monitoring.metrics")
    names = {*metrics.LIVE, *(f"{name}_total" for name, live in metrics.LIVE.items() if live.counter)}
    names |= {"serving_requests_total", "serving_seconds_bucket", "serving_seconds_count"}
    used = {name for alert in alerts() for name in re.findall(r"\bserving_\w+", alert["expr"])}
    assert used <= names
    assert 0.5 in metrics.SECONDS


def test_no_alert_for_latency_or_failures_counts_what_nobody_waits_for():
    for alert in alerts():
        for labels in re.findall(r"\bserving_seconds_\w+\{(.*?)\}", alert["expr"]):
            assert 'stage="total"' in labels, alert["alert"]
        for labels in re.findall(r"\bserving_requests_total(\{.*?\})?", alert["expr"]):
            assert 'route!="shadow"' in labels, alert["alert"]
