"""What the Python client does for a call, whichever of its two clients carries it out. Imports no torch.

A plan is a generator that yields what is to be sent, or seconds to wait, and gets what came back.
"""

import random
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

from torchworks.serving import addresses
from torchworks.serving.client.answers import Card
from torchworks.serving.client.errors import ServiceError
from torchworks.shared.config import from_dict
from torchworks.shared.models.signature import Signature

BUSY = (429, 503)
FIRST_WAIT = 0.1  # seconds before the second try, if the service names none; it doubles with each try
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request to send, within `timeout` seconds. Of events the answer is left open, to be read as they come."""

    method: str
    path: str
    timeout: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)
    events: bool = False


Outcome = httpx2.Response | httpx2.HTTPError | None
Plan = Generator[Call | float, Outcome, T]


def models(timeout: float) -> Plan[list[str]]:
    answer = yield from answered(Call("GET", addresses.MODELS), timeout)
    return [model["name"] for model in answer["models"]]


def card(name: str, timeout: float) -> Plan[Card]:
    about = yield from answered(Call("GET", addresses.model(name)), timeout)
    return Card(
        about["name"],
        about["version"],
        from_dict(Signature, about["signature"], where=f"signature of {name}"),
        tuple(about["labels"]),
        about["limits"],
        about,
    )


def answered(call: Call, timeout: float) -> Plan[Any]:
    """The JSON that answers `call`."""
    return (yield from responded(call, timeout)).json()


def responded(call: Call, timeout: float) -> Plan[httpx2.Response]:
    """The answer to `call`: JSON, or events that are still to be read. Repeats it while the service is busy, as long as
    `timeout` seconds allow."""
    end, wait = time.monotonic() + timeout, FIRST_WAIT
    while True:
        left = end - time.monotonic()
        outcome = yield Call(call.method, call.path, left, call.options, call.events)
        if isinstance(outcome, httpx2.TimeoutException):
            raise ServiceError(0, "timeout", f"The service did not answer within {timeout:g} s.") from outcome
        if not isinstance(outcome, httpx2.Response):
            raise ServiceError(0, "unreachable", f"The service cannot be reached: {outcome}.") from outcome
        kind = outcome.headers.get("Content-Type")
        if outcome.is_success and (is_events(outcome) if call.events else kind == "application/json"):
            return outcome
        pause = _pause(outcome, wait)
        if outcome.status_code not in BUSY or time.monotonic() + pause >= end:
            raise _refusal(outcome)
        yield pause
        wait *= 2


def _pause(response: httpx2.Response, wait: float) -> float:
    """Seconds to wait: those that the service names (in whole seconds) or `wait`, and up to half as many more, so that
    clients refused together do not return together."""
    named = response.headers.get("Retry-After", "")
    return (float(named) if named.isdecimal() else wait) * random.uniform(1, 1.5)


def _refusal(response: httpx2.Response) -> ServiceError:
    try:
        error = response.json()["error"]
        return ServiceError(response.status_code, error["code"], error["message"], error["request_id"])
    except (ValueError, KeyError, TypeError):  # not our service, or a proxy before it
        url = response.request.url
        text = f"{url} answered {response.status_code} {response.reason_phrase}, which is no answer of this service."
        return ServiceError(response.status_code, "unexpected", text, response.headers.get("X-Request-ID", ""))


def is_events(response: httpx2.Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/event-stream")
