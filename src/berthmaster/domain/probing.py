"""One HTTP question and its answer; redirects are never followed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from berthmaster.domain import smoke as smoking
from berthmaster.domain.spec import SmokeSpec


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask `http://address:port{path}` with this Host header; `wants` None: any status below 400."""

    address: str
    port: int
    path: str
    host: str
    wants: int | None = None
    contains: str | None = None
    is_tls: bool = False
    timeout_seconds: float = 5.0
    marks_release: bool = False  # ask the router to name the release that answers
    forwarded_proto: str | None = None  # what the edge would say: `https`
    is_lenient: bool = False  # no readiness path was declared: anything but 400 and 5xx will do
    smoke: SmokeSpec | None = None  # whose headers, JSON and time the answer must meet, too
    method: str = "GET"
    sends: Mapping[str, str] = field(default_factory=dict)  # headers, beside those of every probe
    keeps_body: bool = False  # the result has what was read of it, good or not
    checks_certificate: bool = True  # it never is on loopback

    def describe(self) -> str:
        """The question, for a report."""
        return f"{self.method} http://{self.address}:{self.port}{self.path} Host: {self.host}"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`status` None means that no answer came; `error` says why in one sentence."""

    status: int | None
    is_good: bool
    seconds: float
    error: str = ""
    location: str | None = None  # of a redirect
    release: str | None = None  # as the router named it
    excerpt: str = ""  # start of the body when it was not good
    refused: bool = False  # nothing listens there
    body: str = ""  # when it was to be kept: at most 64 KiB
    media_type: str = ""  # `application/json`

    def describe(self) -> str:
        """The answer in a few words, for a report."""
        if self.status is None:
            return self.error
        target = f" to {self.location}" if self.location else ""
        return f"answered {self.status}{target}{f' ({self.error})' if self.error else ''}"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read `http://address:port{path}` with this Host header; the answer counts, not the status.

    With something to send it is a POST of JSON, made once and never again.
    """

    address: str
    port: int
    path: str
    host: str
    token: str = field(default="", repr=False)  # sent as a bearer's
    forwarded_proto: str | None = None
    most_bytes: int = 64 * 1024
    timeout_seconds: float = 5.0
    sends: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """`status` None means that no whole answer came, and `error` says why."""

    status: int | None
    body: str = ""
    error: str = ""


def judge(
    probe: Probe,
    status: int,
    location: str | None,
    body: str,
    headers: Mapping[str, str] | None = None,
    seconds: float = 0.0,
) -> str:
    """Why an answer is not good, in a few words; empty when it is.

    A redirect to the very address that was asked is never good: a client would turn in a circle.
    """
    if location and _same_place(probe, location):
        return "redirects to itself"
    if probe.wants is not None:
        if status != probe.wants:
            return f"{probe.wants} was wanted"
    elif probe.is_lenient:
        if status == 400 or status >= 500:
            return "not a working answer"
    elif status >= 400:
        return "below 400 was wanted"
    if probe.contains is not None and probe.contains not in body:
        return f"the answer does not contain {probe.contains!r}"
    return smoking.unmet(probe.smoke, headers or {}, body, seconds) if probe.smoke else ""


def _same_place(probe: Probe, location: str) -> bool:
    parts = urlsplit(location)
    host = (parts.hostname or probe.host).lower()
    scheme = parts.scheme or probe.forwarded_proto or ("https" if probe.is_tls else "http")
    asked = probe.forwarded_proto or ("https" if probe.is_tls else "http")
    return host == probe.host.lower() and (parts.path or "/") == probe.path and scheme == asked


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server showed for a name; `error` says why there is none."""

    names: tuple[str, ...] = ()
    issuer: str = ""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    error: str = ""
