"""A frontend and its API are one release: they change together, and old pages find their files."""

import asyncio

import pytest
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker

FILES = """\
app: {name}
routes:
  - {{path: /api, service: web, port: 8000, ready: /api/health}}
  - {{path: /, service: web, port: 8000, ready: /health, hosts: [api.{name}.test]}}
sites:
  frontend: {{path: /, folder: dist}}
services:
  web: {{drain: 15s, ready: 60s}}
retention: {{watch: 1s, warm: 10m}}
environments:
  prod: {{hosts: ["{name}.test", "*.{name}.test"]}}
"""


@pytest.fixture
def shop(app: MakeApp) -> App:
    made = app("web")
    (made.folder / "berth.yaml").write_text(FILES.format(name=made.name))
    return build(made, "v1")


def build(shop: App, version: str) -> App:
    """What a build of the frontend leaves: a page and a script under a name of its own."""
    assets = shop.folder / "dist/assets"
    assets.mkdir(parents=True, exist_ok=True)
    for old in assets.iterdir():
        old.unlink()
    (assets / f"app-B7a9xK{version}.js").write_text(f"script {version}")
    (shop.folder / "dist/index.html").write_text(f"page {version}")
    return shop


async def ask_api(shop: App) -> str:
    """The version behind the host that only a route names."""
    reader, writer = await shop.connect()
    writer.write(f"GET / HTTP/1.1\r\nHost: api.{shop.host}\r\nConnection: close\r\n\r\n".encode())
    text = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()
    return text.lower().partition("x-version: ")[2].partition("\r\n")[0]


async def test_frontend_and_api_change_together_and_turn_back_together(shop: App) -> None:
    await shop.deploy("v1")
    routes = (await shop.done("gateway", "routes")).out.splitlines()
    mine = [line.split()[1:3] for line in routes if shop.name in line]
    site, api = f"{shop.name}.test", f"api.{shop.name}.test"
    suffix = f"*.{site}"
    assert sorted(mine) == sorted(
        [[site, "/"], [site, "/api"], [suffix, "/"], [suffix, "/api"], [api, "/"]]
    )
    assert await versions(shop) == ("v1", "v1", "v1")
    build(shop, "v2")
    seen = await asked_in_turn_while(shop, asyncio.create_task(shop.deploy("v2")))
    assert seen == sorted(seen), seen  # once one of them is new, each later answer is
    assert set(seen) == {"v1", "v2"}
    assert await versions(shop) == ("v2", "v2", "v2")
    await shop.done("rollback", shop.stack, "--to", "r1")
    assert await versions(shop) == ("v1", "v1", "v1")


async def versions(shop: App) -> tuple[str, str, str]:
    """Of the page, of the API below it, and of the API on its own host."""
    page, api = await shop.ask("/"), await shop.ask("/api")
    return page.text.removeprefix("page "), api.version, await ask_api(shop)


async def asked_in_turn_while(shop: App, deploy: "asyncio.Task[object]") -> list[str]:
    """Every version seen, in order, page and APIs one after the other."""
    seen: list[str] = []

    async def look() -> bool:
        seen.extend(await versions(shop))
        return deploy.done()

    await until(look)
    await deploy
    return seen


async def test_a_page_that_was_open_finds_its_files_and_a_missing_one_is_no_page(
    shop: App,
) -> None:
    await shop.deploy("v1")
    await build(shop, "v2").deploy("v2")
    for version in ("v1", "v2"):
        script = await shop.ask(f"/assets/app-B7a9xK{version}.js")
        assert (script.status, script.text) == (200, f"script {version}")
    missing = await shop.ask("/assets/app-B7a9xKv9.js")
    assert (missing.status, "page" in missing.text) == (404, False)
    deep = await shop.ask("/orders/7")
    assert (deep.status, deep.text) == (200, "page v2")
