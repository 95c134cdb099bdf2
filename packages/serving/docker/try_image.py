"""Build an image without a Docker daemon or a registry, and try it as an orchestrator would run it.

    python packages/serving/docker/try_image.py packages/serving/docker/Dockerfile.cpu BUNDLE

Needs Linux, root, and Debian's packages buildah and debootstrap. The base is a minimal Debian made on the spot, or
`--base IMAGE`. The container's file system is mounted read-only but for /tmp and /log; the service runs as the image's
user with the image's environment, and the host's network. Then the image's HEALTHCHECK must pass, the golden example
must be answered and stand in the log, and SIGTERM must end the service with exit code 0.
"""

import argparse
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from torchworks.serving.bundle import Bundle, open_bundle

ROOT = Path(__file__).resolve().parents[3]
DEBIAN, PACKAGES = "bookworm", "ca-certificates,python3,python3-venv"
BASE = f"localhost/python:{DEBIAN}"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
KEY = "the-key-of-a-trial"
ENTER = """
mount --make-rprivate /
mount --bind {root} {root}
mount -o remount,ro,bind {root}
mount --bind {bundle} {root}/models
mount -o remount,ro,bind {root}/models
mount -t tmpfs tmpfs {root}/tmp
mount --bind {log} {root}/log
mount -t proc proc {root}/proc
mount --bind /dev {root}/dev
exec chroot --userspec={user} {root} env -i {environment} {command}
"""


def run(*command: str | Path) -> str:
    """What the command prints, without the last line's end; its complaints go to the terminal."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return done.stdout.strip()


def debian(folder: Path) -> str:
    """The name of a base image with Debian's Python, made if it is not there."""
    if BASE in run("buildah", "images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        return BASE
    run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, folder)
    (folder / CERTIFICATES[1:]).write_bytes(Path(CERTIFICATES).read_bytes())
    container = run("buildah", "from", "scratch")
    run("buildah", "copy", "--quiet", container, folder, "/")
    trusted = [f"--env={name}={CERTIFICATES}" for name in ("PIP_CERT", "SSL_CERT_FILE")]
    run("buildah", "config", *trusted, container)
    run("buildah", "commit", "--quiet", "--rm", container, BASE)
    return BASE


def build(dockerfile: Path, base: str) -> str:
    """The id of the image that the Dockerfile gives."""
    ignore = ["--ignorefile", f"{dockerfile}.dockerignore"]
    options = ["--isolation", "chroot", "--format", "docker", "--build-arg", f"BASE={base}", *ignore]
    return run("buildah", "bud", *options, "--file", dockerfile, ROOT).splitlines()[-1]


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The root of a container of the image."""
    container = run("buildah", "from", image)
    try:
        yield Path(run("buildah", "mount", container))
    finally:
        run("buildah", "rm", container)


def volume(root: Path) -> Path:
    """A folder beside the container's root to mount at /log, with the owner and mode that the image gives that one, as
    Docker makes a volume."""
    path, image = root.with_name("log-of-the-trial"), (root / "log").stat()
    path.mkdir(exist_ok=True)
    os.chown(path, image.st_uid, image.st_gid)
    path.chmod(image.st_mode & 0o777)
    return path


def inside(root: Path, bundle: Path, config: dict, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """The command, started in the container as the image's user."""
    values = {"root": root, "bundle": bundle.resolve(), "user": config["User"], "log": volume(root)}
    script = ENTER.format(
        **{name: shlex.quote(str(value)) for name, value in values.items()},
        environment=shlex.join(config["Env"]),
        command=shlex.join(command),
    )
    return subprocess.Popen(["unshare", "--mount", "sh", "-ec", script], **options)


def predict(bundle: Bundle) -> str:
    """What the service answers to the inputs of the golden example."""
    inputs = {name: value.tolist() for name, value in bundle.golden()[0].items()}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:8000/v1/models/{bundle.manifest.name}/predict"
    request = urllib.request.Request(address, json.dumps({"inputs": inputs}).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def try_image(root: Path, bundle: Path, config: dict) -> None:
    """Start, watch, ask and stop the service as the image's configuration says."""
    (root / "models").mkdir()
    (root / "run/secrets").mkdir(parents=True)
    (root / "run/secrets/api_key").write_text(KEY)
    health = config["Healthcheck"]["Test"][1:]
    service = inside(root, bundle, config, [*config["Entrypoint"], *config["Cmd"], "--log", "/log"])
    try:
        began = time.monotonic()
        while inside(root, bundle, config, health, stderr=subprocess.DEVNULL).wait() != 0:
            assert service.poll() is None, f"the service ended with exit code {service.returncode}"
            assert time.monotonic() - began < 60, "HEALTHCHECK did not pass within 60 s"
            time.sleep(0.5)
        print(f"HEALTHCHECK passed after {time.monotonic() - began:.1f} s")
        print("answered", predict(open_bundle(bundle))[:200])
        user = str(Path(f"/proc/{service.pid}").stat().st_uid)
        assert user == config["User"].partition(":")[0], user
        print("runs as user", user)
    finally:
        service.terminate()
    code = service.wait(timeout=60)
    assert code == 0, f"SIGTERM ended the service with exit code {code}"
    print("SIGTERM ended it with exit code 0")
    (log,) = volume(root).glob("*.sqlite")
    with closing(sqlite3.connect(log)) as predictions:
        count = predictions.execute("SELECT count(*) FROM predictions").fetchone()[0]
    assert count == 1, f"the log has {count} predictions"
    print("the log has the prediction")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--base", help="an image to build on instead of a Debian made here")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/torchworks-debian"), help="where Debian is made")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("This mounts file systems and changes roots: run it as root, in a machine you can throw away.")
    image = build(options.dockerfile.resolve(), options.base or debian(options.folder))
    config = json.loads(run("buildah", "inspect", "--type", "image", image))["Docker"]["config"]
    with mounted(image) as root:
        try_image(root, options.bundle, config)
    size = json.loads(run("buildah", "images", "--json", image))[0]["size"]
    print(f"built {options.dockerfile.name}: {size}, image {image[:12]}")


if __name__ == "__main__":
    main()
