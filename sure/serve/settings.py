"""Settings of the server, and the errors that become HTTP statuses."""

from dataclasses import dataclass, field
from pathlib import Path

from sure.errors import SureError


@dataclass(frozen=True)
class Settings:
    """bundles: folders by name of the adapter. backbone: weights for them; by default those that each bundle names.

    folder: of bundles that can be added at run time; None: none can. key: that requests have to send; empty: none.
    hosts: names of this server that requests may use; ("*",): any.
    megabytes: of a request. seconds: of a recording. letters: of a text to synthesise. requests: at the same time.
    upload_seconds: in which a request has to arrive, and its answer has to be taken. batch_seconds: of audio that is
    computed together. waiting_seconds: of audio that waits to be computed.
    """

    bundles: dict[str, Path] = field(default_factory=dict)
    backbone: str | None = None
    device: str = "auto"
    folder: Path | None = None
    key: str = ""
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    megabytes: float = 25.0
    seconds: float = 600.0
    letters: int = 4096
    requests: int = 256
    upload_seconds: float = 60.0
    batch_seconds: float = 120.0
    waiting_seconds: float = 7200.0


class HttpError(SureError):
    """An error with an HTTP status; any other SureError has 400."""

    status = 400


class UnknownAdapter(HttpError):
    status = 404


class TooLarge(HttpError):
    status = 413


class Busy(HttpError):
    status = 429


class Stopping(HttpError):
    status = 503
