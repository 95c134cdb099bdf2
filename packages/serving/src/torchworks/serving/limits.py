"""What a service allows, and how it runs its models. Every limit is on by default."""

from dataclasses import dataclass, field
from pathlib import Path

from torchworks.serving.public_address import PublicAddress


@dataclass(frozen=True)
class Limits:
    """Bounds on what one request, and all of them together, can take."""

    body_bytes: int = 16 << 20
    """Bytes of a request's body, whether its length was announced or not."""
    image_pixels: int = 16_000_000
    """Pixels of one image, known before it is decoded."""
    image_frames: int = 1
    """Frames of one image: films are refused."""
    film_frames: int = 256
    """Frames of one film, for models that take films."""
    film_pixels: int = 64_000_000
    """Pixels of all frames of a request's films, refused before they are decoded."""
    sound_seconds: float = 120.0
    """Seconds of all sounds of a request together."""
    series_steps: int = 32_768
    """Time steps of one series."""
    rows: int = 64
    """Rows of one request."""
    text_tokens: int = 32_768
    """Tokens of one text or prompt, of models that have no limit of their own, or a larger one."""
    fields: int = 32
    """Parts of a form, and tensors of a request."""
    batch_rows: int = 32
    """Rows that the model computes at once, at most; a larger request is a batch of its own."""
    queue_rows: int = 512
    """Rows that wait for one model."""
    wait_seconds: float = 0.25
    """Seconds that a request may expect to wait for its model; but for a slow one, some batches may always wait."""
    concurrent: int = 256
    """Requests that are being answered at one time."""
    deadline: float = 10.0
    """Seconds from a request's last byte to its answer."""
    receive_seconds: float = 20.0
    """Seconds that a client may take to send a request."""
    send_seconds: float = 20.0
    """Seconds that a client may leave a full connection unread."""
    stuck_seconds: float = 60.0
    """Seconds after which a batch that still runs counts as stuck: the service is neither ready nor alive."""
    decode_threads: int = 2
    """Pictures that are decoded at one time."""
    generate_rows: int = 16
    """Texts that one model generates at one time."""
    generate_tokens: int = 1024
    """Tokens of one text that may be generated."""
    generate_wait: float = 10.0
    """Seconds that a text may expect to wait until its generation begins."""
    generate_seconds: float = 120.0
    """Seconds after which a text ends where it is."""
    draw_rows: int = 16
    """Images that one diffusion model draws at one time."""
    draw_wait: float = 10.0
    """Seconds that images may expect to wait until they are begun."""
    draw_seconds: float = 120.0
    """Seconds that the images of a request may take."""


@dataclass(frozen=True)
class Settings:
    """How a service runs. Without `api_key` everybody who reaches it may use it; without `admin_token` nobody may
    administer it. `models` is the folder whose bundles may be loaded by name while it runs."""

    limits: Limits = field(default_factory=Limits)
    threads: int = 1
    device: str = "cpu"
    trust_code: bool = False
    api_key: str | None = field(default=None, repr=False)
    admin_token: str | None = field(default=None, repr=False)
    models: Path | None = None
    public: PublicAddress | None = None
    """Where callers find the service, if it stands behind a proxy."""
    allow_origins: tuple[str, ...] = ()
    """Origins whose pages may use a service that has a key; "*" for any."""
    admin_port: int | None = None
    """The port at which alone /admin is answered. Without one it is answered to whoever does not come through a proxy,
    as far as that can be seen, and to nobody where `public` says that there is one."""
    trial_requests: int = 50
    """Requests by which a new champion is judged."""
    trial_failures: float = 0.1
    """Share of them that may fail; with more, the former champion comes back."""
