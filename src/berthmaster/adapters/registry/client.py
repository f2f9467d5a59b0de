"""Asks registries by HEAD which digest is behind a tag, with the token dance where one wants it.

Pulling is the engine's work. A request that failed for a passing reason is tried again twice.
"""

import asyncio
import base64
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from berthmaster.adapters.registry import errors, manifests
from berthmaster.adapters.registry.credentials import DockerCredentials, Login
from berthmaster.adapters.registry.reference import Reference, parse_reference
from berthmaster.domain.errors import InvalidName, OutsideError
from berthmaster.domain.names import check_name
from berthmaster.ports.registry import RemoteImage

if TYPE_CHECKING:
    import aiohttp

# Index types too: the digest of a multi-architecture image is its index's.
MEDIA_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TRIES: Final = 3
LONGEST_PAUSE_SECONDS: Final = 15.0  # that a registry may ask for before a person is told instead
MAX_BYTES: Final = 4 * 1024 * 1024  # of a manifest: what registries allow
_PAUSE_SECONDS: Final = 0.5  # doubled before each further try
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class HttpRegistry:
    """`ports.registry.Registry` over HTTPS, plain HTTP on loopback."""

    def __init__(
        self,
        credentials: DockerCredentials | None = None,
        *,
        timeout_seconds: float = 10.0,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._credentials = credentials or DockerCredentials()
        self._timeout_seconds = timeout_seconds
        self._pause_seconds = pause_seconds

    async def digest(self, reference: str) -> str | None:
        wanted = parse_reference(reference)
        answer = await self._ask(wanted, "HEAD", wanted.manifest_path)
        if answer is None:
            return None
        return _checked_digest(wanted, answer.headers.get("Docker-Content-Digest", ""))

    async def describe(self, reference: str, architecture: str) -> RemoteImage | None:
        wanted = parse_reference(reference)

        async def read(path: str) -> Any:
            answer = await self._ask(wanted, "GET", path)
            return None if answer is None else manifests.parse(wanted, answer.body)

        return await manifests.describe(wanted, architecture, read)

    async def _ask(self, wanted: Reference, method: str, path: str) -> "_Answer | None":
        """The answer, tried again for passing reasons; None for 404."""
        for attempt in range(1, TRIES):
            try:
                return await self._ask_once(wanted, method, path)
            except OutsideError as error:
                if not error.retryable:
                    raise
                pause = _asked_pause(error)
            await asyncio.sleep(max(pause, self._pause_seconds * 2 ** (attempt - 1)))
        return await self._ask_once(wanted, method, path)

    async def _ask_once(self, wanted: Reference, method: str, path: str) -> "_Answer | None":
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                answer = await self._request(session, wanted, method, path)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            raise errors.unreachable(wanted, str(exc) or "no answer in time") from exc
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise errors.refused(wanted, answer.status, answer.headers.get("Retry-After", ""))
        return answer

    async def _request(
        self, session: "aiohttp.ClientSession", wanted: Reference, method: str, path: str
    ) -> "_Answer":
        url = f"{wanted.base_url}/v2/{wanted.name}/{path}"
        headers = {"Accept": ", ".join(MEDIA_TYPES)}
        async with session.request(method, url, headers=headers) as answer:
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status != HTTPStatus.UNAUTHORIZED or not challenge:
                return await _read(answer)
        login = await asyncio.to_thread(self._credentials.login, wanted.registry)
        authorization = await _authorize(session, wanted, challenge, login)
        if authorization is None:
            return _Answer(HTTPStatus.UNAUTHORIZED, {}, b"")
        # NOTE: aiohttp drops this header where a registry leads on to its storage.
        headers["Authorization"] = authorization
        async with session.request(method, url, headers=headers) as answer:
            return await _read(answer)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def _asked_pause(error: OutsideError) -> float:
    """What a busy registry asks to wait; raises the error when that is longer than a deploy may."""
    asked = error.after_seconds if isinstance(error, errors.RegistryBusy) else None
    if asked is not None and asked > LONGEST_PAUSE_SECONDS:
        raise error
    return asked or 0.0


async def _read(answer: "aiohttp.ClientResponse") -> _Answer:
    body = bytearray()
    # NOTE: one `read` returns what is there, not all of it.
    while len(body) < MAX_BYTES and (piece := await answer.content.read(MAX_BYTES - len(body))):
        body += piece
    return _Answer(answer.status, dict(answer.headers), bytes(body))


async def _authorize(
    session: "aiohttp.ClientSession", wanted: Reference, challenge: str, login: Login | None
) -> str | None:
    """The `Authorization` header that the challenge asks for; None when we have none to offer."""
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "bearer":
        return await _fetch_token(session, wanted, dict(_PARAMETER.findall(rest)), login)
    return _basic(login) if login and not login.is_identity_token else None


async def _fetch_token(
    session: "aiohttp.ClientSession",
    wanted: Reference,
    parameters: dict[str, str],
    login: Login | None,
) -> str | None:
    realm = parameters.get("realm", "")
    scope = parameters.get("scope") or f"repository:{wanted.name}:pull"
    query = {"service": parameters.get("service", ""), "scope": scope}
    # NOTE: a registry with TLS may not lead a password away over plain HTTP.
    if not realm.startswith("https://") and wanted.base_url.startswith("https://"):
        raise errors.refused(wanted, HTTPStatus.UNAUTHORIZED)
    if login and login.is_identity_token:
        form = {**query, "grant_type": "refresh_token", "refresh_token": login.password}
        request = session.post(realm, data={**form, "client_id": "berthmaster"})
    else:
        headers = {"Authorization": _basic(login)} if login else {}
        request = session.get(realm, params=query, headers=headers)
    async with request as answer:
        if answer.status != HTTPStatus.OK:
            raise errors.refused(wanted, answer.status)
        data = await answer.json(content_type=None)
    token = data.get("token") or data.get("access_token") if isinstance(data, dict) else None
    return f"Bearer {token}" if token else None


def _basic(login: Login) -> str:
    return f"Basic {base64.b64encode(f'{login.user}:{login.password}'.encode()).decode()}"


def _checked_digest(wanted: Reference, digest: str) -> str:
    try:
        return check_name("digest", digest)
    except InvalidName as exc:
        raise errors.no_digest(wanted) from exc
