"""The addresses of the service, for the code that answers, describes or calls them."""

import re
from urllib.parse import quote

LIVE, READY = "/livez", "/readyz"
METRICS = "/metrics"
OPENAPI, DOCS = "/openapi.json", "/docs"
DASHBOARD = "/dashboard"
MODELS, JOBS, SESSIONS, ADMIN = "/v1/models", "/v1/jobs", "/v1/sessions", "/admin/models"
ADMINISTRATION = "/admin"
PROTOCOL = "/v2"
"""Of the Open Inference Protocol."""
WITHOUT_KEY = (LIVE, READY)
"""They need no key, take any host name and always have room: monitoring calls them."""
PAGE = re.compile(rf"/|{DASHBOARD}/[a-z.]*")
"""The page for people needs no key to be shown; what it calls does."""
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
"""As OpenAI's API has them."""
PREDICT = re.compile(r"/(v1|v2)/models/([^/]+)(?:/versions/([^/]+))?/(predict|infer)")
"""Protocol, model, version and verb of a request for a prediction."""
GENERATE = re.compile(rf"{MODELS}/([^/]+)/generate")
"""The model of a request for text."""
DRAW = re.compile(rf"{MODELS}/([^/]+)/draw")
"""The model of a request for images that are drawn step by step."""


def is_protocol(path: str) -> bool:
    """Whether the Open Inference Protocol says what is answered there."""
    return path == PROTOCOL or path.startswith(f"{PROTOCOL}/")


def is_openai(path: str) -> bool:
    """Whether OpenAI's API says what is answered there."""
    return path in (COMPLETIONS, CHAT)


def is_admin(path: str) -> bool:
    """Whether it is for whoever administers the service alone."""
    return path == ADMINISTRATION or path.startswith(f"{ADMINISTRATION}/")


def model(name: str, version: str | None = None, verb: str = "") -> str:
    """What concerns one model, or does the `verb`: predict, generate, draw, jobs or stream."""
    return _of_model(MODELS, name, version, verb)


def protocol_model(name: str, version: str | None = None, verb: str = "") -> str:
    """The same of the Open Inference Protocol; its verb is infer."""
    return _of_model(f"{PROTOCOL}/models", name, version, verb)


def _of_model(models: str, name: str, version: str | None, verb: str) -> str:
    parts = [models, quote(name, safe="")]
    parts += ["versions", quote(version, safe="")] if version else []
    return "/".join([*parts, *([verb] if verb else [])])


def session(id: str) -> str:
    """Where the pieces of a session go."""
    return f"{SESSIONS}/{id}"


def job(id: str, part: str = "") -> str:
    """One job's status, or its `events` or `result`."""
    return f"{JOBS}/{id}" + (f"/{part}" if part else "")
