"""Stands in front of a registry and misbehaves on demand: slow, too many requests, a wrong digest.

Listens on loopback only; knows nothing about images.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientSession, web

WRONG: Final = f"sha256:{'ab' * 32}"


@dataclass
class RegistryProxy:
    """`mood` says how it answers from now on; `refusals` how often it does so before it is well."""

    upstream: int
    port: int
    mood: str = ""  # slow, busy, wrong, broken
    refusals: int = 1_000
    asked: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.mood == "busy" and self.refusals > 0:
            self.refusals -= 1
            return web.Response(status=429, headers={"Retry-After": "1"})
        if self.mood == "broken":
            return web.Response(status=503)
        if self.mood == "slow":
            await asyncio.sleep(3)
        return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        path = request.path_qs
        if self.mood == "wrong":
            path = path.replace(WRONG, "v2")  # another content than the digest says
        url = f"http://127.0.0.1:{self.upstream}{path}"
        headers = {key: value for key, value in request.headers.items() if key == "Accept"}
        async with (
            ClientSession() as session,
            session.request(request.method, url, headers=headers, allow_redirects=False) as found,
        ):
            kept = {
                key: value
                for key, value in found.headers.items()
                if key
                in ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version")
            }
            if request.method == "HEAD":
                kept["Content-Length"] = found.headers.get("Content-Length", "0")
            if self.mood == "wrong" and "Docker-Content-Digest" in kept and "/manifests/" in path:
                kept["Docker-Content-Digest"] = WRONG
            return web.Response(status=found.status, headers=kept, body=await found.read() or None)


@contextlib.asynccontextmanager
async def registry_proxy(upstream: int, port: int) -> AsyncIterator[RegistryProxy]:
    """Run one for the block."""
    proxy = RegistryProxy(upstream, port)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", proxy.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield proxy
    finally:
        await runner.cleanup()
