"""The models of a service by name: their versions, who gets which, and changing that while requests come in.

    registry = Registry(settings)
    registry.add(served)                                     # the first version of a name is its champion
    served = registry.choose("digits", None, sticky="user-7")

| alias | who gets it |
|---|---|
| champion | everybody who names no version, but for those of the challenger |
| challenger | the same share of callers each time, by their sticky key |
| shadow | copies of requests; its answers are thrown away |
| previous | nobody; it was the champion before and can be again |

Everything here runs in the event loop, so a request sees either what was before a change or what is after it.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from torchworks.serving.errors import Refusal
from torchworks.serving.limits import Settings
from torchworks.serving.monitoring.monitor import Monitor
from torchworks.serving.monitoring.settings import MonitorSettings
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CHAMPION, CHALLENGER, SHADOW, PREVIOUS = ALIASES = ("champion", "challenger", "shadow", "previous")
log = logging.getLogger("torchworks.serving")


@dataclass
class Trial:
    """The first requests of a new champion."""

    requests: int = 0
    failures: int = 0


@dataclass
class Entry:
    """A model: `aliases` maps them to versions; `share` of the callers get the challenger."""

    versions: dict[str, ServedModel] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    share: float = 0.0
    trial: Trial | None = None

    def get(self, alias: str) -> ServedModel | None:
        version = self.aliases.get(alias)
        return None if version is None else self.versions[version]


def conflict(message: str) -> Refusal:
    """The change does not fit what is served."""
    return Refusal(409, "conflict", message)


class Registry:
    """`generation` counts the changes. Without a `monitor`, one that writes nothing is made."""

    def __init__(self, settings: Settings, monitor: Monitor | None = None):
        self.settings, self.monitor = settings, monitor or Monitor(MonitorSettings(), None)
        self.generation = 0
        self._models: dict[str, Entry] = {}
        self._closing: set[asyncio.Task[None]] = set()

    # ---- looking up --------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        return sorted(self._models)

    def entry(self, name: str) -> Entry:
        """Raises `Refusal` for a model that is not served."""
        if not NAME.fullmatch(name) or name not in self._models:
            raise Refusal(404, "no_such_model", "There is no such model; /v1/models lists those that there are.")
        return self._models[name]

    def choose(self, name: str, version: str | None = None, sticky: str | None = None) -> ServedModel:
        """Who answers: the `version`, which may be an alias, or whom the split gives to the key `sticky`."""
        entry = self.entry(name)
        if version is None:
            version = CHALLENGER if entry.share and _place(name, sticky or "") < entry.share else CHAMPION
        version = entry.aliases.get(version, version)
        if not NAME.fullmatch(version) or version not in entry.versions:
            raise Refusal(404, "no_such_version", f"There is no such version; /v1/models/{name} lists them.")
        return entry.versions[version]

    def sole(self, name: str, version: str | None) -> ServedModel | None:
        """Who answers everybody; None while a challenger gets a share. Raises `Refusal` as `choose` does."""
        return None if version is None and self.entry(name).share else self.choose(name, version)

    def alias(self, served: ServedModel) -> str:
        """champion, challenger, shadow, previous or ""."""
        aliases = self._models[served.name].aliases if served.name in self._models else {}
        return next((alias for alias in ALIASES if aliases.get(alias) == served.version), "")

    def shadow(self, name: str) -> ServedModel | None:
        """Who gets a copy of the requests to `name`."""
        return self._models[name].get(SHADOW) if name in self._models else None

    def served(self) -> Iterator[ServedModel]:
        """All versions of all models."""
        for entry in self._models.values():
            yield from entry.versions.values()

    def ready(self) -> bool:
        """Whether there are models, and all that get requests can answer them."""
        return bool(self._models) and all(served.ready for served in self._answering())

    def alive(self) -> bool:
        return all(served.alive for served in self._answering())

    def _answering(self) -> Iterator[ServedModel]:
        for entry in self._models.values():
            yield from (model for alias in (CHAMPION, CHALLENGER) if (model := entry.get(alias)))

    # ---- changing ----------------------------------------------------------------------------------------

    def add(self, served: ServedModel) -> None:
        """Serve another version. Raises `Refusal` if it is there already."""
        if not NAME.fullmatch(served.name) or not NAME.fullmatch(served.version) or served.version in ALIASES:
            raise UserError(
                f"The bundle {served.bundle.folder} is called '{served.name}' '{served.version}'. A service needs "
                "names of at most 64 lower-case letters, digits, '.', '_' and '-', other than its aliases."
            )
        entry = self._models.get(served.name, Entry())
        if served.version in entry.versions:
            raise conflict("This version of the model is served already.")
        self._watch(served)
        self._models[served.name] = entry
        entry.versions[served.version] = served
        entry.aliases.setdefault(CHAMPION, served.version)
        self._changed("%s %s is served", served.name, served.version)

    def _watch(self, served: ServedModel) -> None:
        """Raises `UserError` for a bundle whose reference cannot be read; nothing has changed then."""
        name, version, batcher = served.name, served.version, served.batcher
        self.monitor.watch(name, served.manifest, served.bundle.reference())
        self.monitor.watch_queue(name, version, lambda: served.waiting_rows, lambda: served.running_rows)
        batcher.computed = partial(self.monitor.note_batch, name, version)
        if served.generation is not None:
            served.generation.stepped = partial(self.monitor.note_batch, name, version)
        if served.drawing is not None:
            served.drawing.stepped = partial(self.monitor.note_batch, name, version)

    async def load(self, folder_name: str) -> ServedModel:
        """Load a bundle of the models' folder by the name of its folder, beside what goes on, and serve it."""
        folder = self._folders().get(folder_name)
        if folder is None:
            raise Refusal(404, "no_such_bundle", "There is no bundle of this name in the models' folder.")
        try:
            served = await asyncio.to_thread(ServedModel.load, folder, self.settings)
        except UserError as error:
            log.error("the bundle %s cannot be loaded: %s", folder_name, error)
            raise Refusal(422, "bad_bundle", "The bundle cannot be served. The service's log says why.") from error
        try:
            self.add(served)
        except (Refusal, UserError):
            served.close()
            raise
        return served

    def _folders(self) -> dict[str, Path]:
        """A name from a request is looked up here, and never made a path of."""
        if self.settings.models is None or not self.settings.models.is_dir():
            return {}
        found = self.settings.models.iterdir()
        return {path.name: path for path in found if path.is_dir() and not path.is_symlink()}

    def promote(self, name: str, version: str) -> None:
        """Make a version the champion, on trial; the one before stays ready to come back, and its own predecessor is
        drained and closed."""
        entry, served = self.entry(name), self.choose(name, version)
        before = entry.aliases[CHAMPION]
        if served.version == before:
            raise conflict("This version is the champion already.")
        self._same_signature(entry, served)
        forgotten = entry.aliases.get(PREVIOUS)
        entry.aliases = {alias: other for alias, other in entry.aliases.items() if other != served.version}
        entry.aliases |= {CHAMPION: served.version, PREVIOUS: before}
        entry.share = entry.share if CHALLENGER in entry.aliases else 0.0
        entry.trial = Trial()
        self._changed("%s: %s is champion after %s", name, served.version, before)
        if forgotten is not None and forgotten not in entry.aliases.values():
            self._retire(entry, forgotten)

    def rollback(self, name: str) -> None:
        """Make the previous champion the champion again."""
        entry = self.entry(name)
        if PREVIOUS not in entry.aliases:
            raise conflict("There is no previous version to go back to.")
        failed = entry.aliases[CHAMPION]
        entry.aliases[CHAMPION] = entry.aliases.pop(PREVIOUS)
        entry.trial = None
        self._changed("%s: back from %s to %s", name, failed, entry.aliases[CHAMPION])

    def split(self, name: str, version: str | None, share: float) -> None:
        """Let a `share` in [0, 1] of the callers have the version as challenger; without one, end the test."""
        entry = self.entry(name)
        if version is None:
            entry.aliases.pop(CHALLENGER, None)
            entry.share = 0.0
        else:
            self._give(entry, CHALLENGER, self.choose(name, version))
            entry.share = share
        self._changed("%s: %g of the callers get the challenger", name, entry.share)

    def mirror(self, name: str, version: str | None) -> None:
        """Send copies of the requests to the version as shadow; without one, stop that."""
        entry = self.entry(name)
        if version is None:
            entry.aliases.pop(SHADOW, None)
        else:
            self._give(entry, SHADOW, self.choose(name, version))
        self._changed("%s: the shadow is %s", name, entry.aliases.get(SHADOW))

    def unload(self, name: str, version: str) -> None:
        """Stop serving a version: nobody gets it from now on, and it is closed when the last request is answered."""
        entry, served = self.entry(name), self.choose(name, version)
        if served.version == entry.aliases[CHAMPION] and len(entry.versions) > 1:
            raise conflict("This version is the champion: promote another one first.")
        entry.aliases = {alias: other for alias, other in entry.aliases.items() if other != served.version}
        entry.share = entry.share if CHALLENGER in entry.aliases else 0.0
        self._retire(entry, served.version)
        if not entry.versions:
            del self._models[name]

    def outcome(self, served: ServedModel, *, failed: bool) -> None:
        """Count an answer of a champion on trial, and go back to the one before as soon as too many failed."""
        entry = self._models.get(served.name)
        if entry is None or entry.trial is None or entry.aliases[CHAMPION] != served.version:
            return
        trial, settings = entry.trial, self.settings
        trial.requests += 1
        trial.failures += failed
        if trial.failures > settings.trial_failures * settings.trial_requests and PREVIOUS in entry.aliases:
            log.error("%s %s failed %d of %d requests", served.name, served.version, trial.failures, trial.requests)
            self.rollback(served.name)
        elif trial.requests >= settings.trial_requests:
            entry.trial = None

    async def close(self) -> None:
        """Answer what was taken, but wait no longer than a request may take, and end all threads."""
        drains = [served.drain() for served in self.served()]
        with contextlib.suppress(TimeoutError):  # a model that is stuck
            await asyncio.wait_for(asyncio.gather(*drains, *self._closing), self.settings.limits.deadline)
        for served in self.served():
            served.close()

    def _give(self, entry: Entry, alias: str, served: ServedModel) -> None:
        if served.version == entry.aliases[CHAMPION]:
            raise conflict("This version is the champion already.")
        self._same_signature(entry, served)
        entry.aliases[alias] = served.version

    def _same_signature(self, entry: Entry, served: ServedModel) -> None:
        champion = entry.get(CHAMPION)
        assert champion is not None
        if champion.manifest.signature != served.manifest.signature:
            raise conflict("This version takes or gives other tensors than the champion, so callers would notice.")

    def _retire(self, entry: Entry, version: str) -> None:
        served = entry.versions.pop(version)
        self.monitor.forget(served.name, version)
        task = asyncio.get_running_loop().create_task(_drain(served))
        self._closing.add(task)  # else it may be collected before it is done
        task.add_done_callback(self._closing.discard)
        self._changed("%s %s is served no more", served.name, version)

    def _changed(self, message: str, *values: object) -> None:
        self.generation += 1
        log.info(message, *values)


async def _drain(served: ServedModel) -> None:
    await served.drain()
    await asyncio.to_thread(served.close)


def _place(name: str, key: str) -> float:
    """Where a key stands in [0, 1), always the same for a model and a key."""
    digest = hashlib.sha256(f"{name}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
