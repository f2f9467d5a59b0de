"""The header that names the tenant: looked up on shared hosts, overwritten on a tenant's own."""

import aiohttp
import pytest
from tests.gateway import STACK, Gateway, Upstream, gateway, upstream

from berthmaster.domain.routing import HostClaim, Naming, Tls

pytestmark = pytest.mark.docker
OTHER = HostClaim("plain", "blog.test", "blog-prod")


async def ask(made: Gateway, app: Upstream, host: str, *named: str) -> tuple[int, list[str]]:
    """The status, and what the app was told; nothing when it was not asked."""
    app.heads.clear()
    headers = [("Host", host), *(("x-tenant-host", name) for name in named)]
    url = f"http://127.0.0.1:{made.port('plain')}/"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        await answer.text()
        lines = app.heads[0].lower().split("\r\n") if app.heads else []
        return answer.status, [
            line.partition(": ")[2] for line in lines if line.startswith("x-tenant-host:")
        ]


@pytest.mark.timeout(120)
async def test_a_client_cannot_say_who_it_is_but_where_it_may() -> None:
    async with gateway(tls=Tls.OFF, redirects=False) as made, upstream("app") as app:
        claims = [
            HostClaim("plain", "api.test", STACK, Naming.HEADER),
            HostClaim("plain", "acme.test", STACK, Naming.HOST),
            HostClaim("plain", "own.test", STACK),
        ]
        await made.router.claim_hosts(claims, fence=1)
        await made.router.claim_hosts([OTHER], fence=1)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        assert await ask(made, app, "api.test", "ACME.test:443") == (200, ["acme.test"])
        for wrong in ((), ("unknown.test",), ("blog.test",), ("api.test",), ("own.test",)):
            assert await ask(made, app, "api.test", *wrong) == (400, []), wrong
        assert await ask(made, app, "api.test", "acme.test", "blog.test") == (400, [])
        assert await ask(made, app, "acme.test", "blog.test") == (200, ["acme.test"])
        assert await ask(made, app, "acme.test") == (200, ["acme.test"])
        assert await ask(made, app, "own.test", "blog.test") == (200, ["blog.test"])  # no business
        assert set((await made.router.table()).hosts) == {*claims, OTHER}
