"""Several models and versions: who gets which, and changing that without anybody noticing."""

import asyncio
import copy
import json
import shutil
import time
from collections import Counter

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from torchworks.serving.errors import Refusal
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.models.manifest import GOLDEN, FileEntry


@pytest.fixture
def registry(bundles):
    """Of two versions of a classifier; v1 is the champion."""
    settings = Settings(models=bundles, trial_requests=20, trial_failures=0.2)
    made = Registry(settings)
    for name in ("classifier", "classifier-2"):
        made.add(ServedModel.load(bundles / name, settings))
    yield made
    asyncio.run(made.close())


def images(count: int = 1) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)}


def test_a_model_is_ready_after_it_has_replayed_its_golden_example(bundles):
    served = ServedModel.load(bundles / "classifier", Settings())
    assert served.ready
    inputs, wanted = served.bundle.golden()
    outputs = asyncio.run(served.predict(inputs, time.monotonic() + 20))
    np.testing.assert_allclose(outputs["probability"], wanted["probability"], rtol=1e-5)
    served.close()


def test_a_bundle_that_does_not_replay_its_golden_example_is_not_served(bundles, tmp_path):
    folder = shutil.copytree(bundles / "classifier", tmp_path / "wrong")
    tensors = load_file(folder / GOLDEN)
    tensors["output.probability"] = tensors["output.probability"][:, ::-1].copy()
    save_file(tensors, folder / GOLDEN)
    manifest = json.loads((folder / "serving.json").read_text())
    manifest["files"] = [to_dict(FileEntry.of(folder / name)) for name in ("model.onnx", GOLDEN)]
    (folder / "serving.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="does not replay its golden example"):
        ServedModel.load(folder, Settings())


def test_a_damaged_bundle_is_not_served(bundles):
    with pytest.raises(UserError, match="is not the file that was saved"):
        ServedModel.load(bundles / "broken", Settings())


@pytest.mark.parametrize("name", ["", "none", "../classifier", "classifier/..", "CLASSIFIER", "a" * 65, "classifier\n"])
def test_names_are_looked_up_and_never_made_paths_of(registry, name):
    with pytest.raises(Refusal, match="no such model"):
        registry.choose(name)
    with pytest.raises(Refusal, match="no bundle of this name"):
        asyncio.run(registry.load(name))
    with pytest.raises(Refusal, match="no such version"):
        registry.choose("classifier", name)


def test_a_share_of_the_callers_gets_the_challenger_and_each_the_same_every_time(registry):
    registry.split("classifier", "v2", 0.25)
    keys = [f"user-{number}" for number in range(2000)]
    first = {key: registry.choose("classifier", sticky=key).version for key in keys}
    assert first == {key: registry.choose("classifier", sticky=key).version for key in keys}
    assert 0.2 < Counter(first.values())["v2"] / len(keys) < 0.3
    registry.split("classifier", "v2", 0.5)
    assert all(registry.choose("classifier", sticky=key).version == "v2" for key in keys if first[key] == "v2")


def test_versions_with_another_signature_do_not_take_each_others_places(registry, make_bundle, tmp_path):
    folder = make_bundle(tmp_path / "other", "sqrt", name="classifier", version="v9")
    registry.add(ServedModel.load(folder, registry.settings))
    for change in (
        lambda: registry.promote("classifier", "v9"),
        lambda: registry.split("classifier", "v9", 0.5),
        lambda: registry.mirror("classifier", "v9"),
    ):
        with pytest.raises(Refusal, match="other tensors"):
            change()


def test_a_new_champion_that_fails_too_often_is_rolled_back(registry):
    registry.promote("classifier", "v2")
    served = registry.choose("classifier")
    for number in range(10):
        registry.outcome(served, failed=number % 2 == 0)
    assert registry.choose("classifier").version == "v1"
    assert registry.entry("classifier").aliases == {"champion": "v1"}


def test_a_new_champion_that_passes_its_trial_stays(registry):
    registry.promote("classifier", "v2")
    served = registry.choose("classifier")
    for number in range(20):
        registry.outcome(served, failed=number < 4)
    for _ in range(20):
        registry.outcome(served, failed=True)
    assert registry.choose("classifier").version == "v2"


def test_no_request_is_lost_while_versions_change(registry, make_bundle, bundles):
    """Requests go on while a third version is loaded, promoted, and the older ones are unloaded."""
    make_bundle(bundles / "third", "classifier", version="v3")
    done, versions = asyncio.Event(), Counter()

    async def ask():
        while not done.is_set():
            served = registry.choose("classifier")
            with served.lease():
                await asyncio.sleep(0)  # as if the body were read
                outputs = await served.predict(images(2), time.monotonic() + 20)
            assert outputs["probability"].shape == (2, 3)
            versions[served.version] += 1

    async def change():
        await asyncio.sleep(0.02)
        await registry.load("third")
        for version in ("v2", "v3"):
            registry.promote("classifier", version)
            await asyncio.sleep(0.05)
        for version in ("v1", "v2"):
            if version in registry.entry("classifier").versions:
                registry.unload("classifier", version)
        await asyncio.sleep(0.05)
        done.set()

    async def main():
        await asyncio.gather(change(), *(ask() for _ in range(5)))
        while registry._closing:
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert set(versions) == {"v1", "v2", "v3"}
    assert list(registry.entry("classifier").versions) == ["v3"]


def test_a_version_is_not_closed_while_somebody_uses_it(registry):
    async def main():
        served = registry.choose("classifier")
        with served.lease():
            registry.promote("classifier", "v2")
            registry.unload("classifier", "v1")
            await asyncio.sleep(0.05)
            await served.predict(images(), time.monotonic() + 20)
        while registry._closing:
            await asyncio.sleep(0.01)
        assert not served.ready

    asyncio.run(main())


def test_names_that_a_service_cannot_use_are_refused_when_loading(registry):
    served = registry.choose("classifier")
    other = copy.copy(served)
    other.version = "champion"
    with pytest.raises(UserError, match="other than its aliases"):
        registry.add(other)
