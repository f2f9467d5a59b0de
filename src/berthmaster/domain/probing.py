"""One HTTP question and its answer; redirects are never followed."""

from dataclasses import dataclass


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

    def describe(self) -> str:
        """The answer in a few words, for a report."""
        if self.status is None:
            return self.error
        target = f" to {self.location}" if self.location else ""
        return f"answered {self.status}{target}{f' ({self.error})' if self.error else ''}"
