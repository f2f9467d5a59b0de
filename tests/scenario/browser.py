"""Chromium for people of the reference app: it trusts the run's authority and asks the run's edge.

Names lead to the edge by a rule of the browser's own, so addresses need no port and no DNS; of
certificates it takes those that the authority issued, and no others. It runs in a network namespace
of its own, as on another machine: where networks come and go, as a deploy makes them, a browser
breaks off what it has begun.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import shutil
import ssl
import tempfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.apart import own_number
from tests.pebble import Authority
from tests.scenario.commands import end, start
from tests.scenario.statuswatch import (
    EXAMPLE,
    PASSWORD,
    STRIPE_HOST,
    SUFFIX,
    TARGET_URL,
    Organization,
    StatusWatch,
)

_CHROMIUM: Final = ("chromium", "chromium-browser")
_MILLISECONDS: Final = 30_000  # two cores, and everything else on them
_CARD: Final = "4242424242424242"  # the double's card that pays


@dataclass
class Person:
    """The owner of an organization, in a browser of their own."""

    organization: Organization
    page: Page

    @property
    def site(self) -> StatusWatch:
        return self.organization.site

    def url(self, path: str) -> str:
        return f"https://{self.organization.host}{path}"

    async def sign_up(self) -> None:
        """From the public page to the empty dashboard, with the link of the mail."""
        page, organization = self.page, self.organization
        await page.goto(f"https://{SUFFIX}/")
        await page.get_by_role("link", name="Start for free").first.click()
        await page.get_by_label("Organization").fill(organization.name)
        await page.get_by_label("E-mail").fill(organization.address)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign up").click()
        # The page gives up before a busy machine has made the schema; the mail comes all the same.
        await page.goto(f"https://{SUFFIX}{await self.site.link_for(organization.address)}")
        await expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
        await page.goto(f"https://{SUFFIX}/login")
        await page.get_by_label("E-mail or user name").fill(organization.address)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in", exact=True).click()
        await expect(page).to_have_url(self.url("/app"))
        await expect(page.get_by_role("heading", name="Nothing is watched yet")).to_be_visible()

    async def watch(self, number: int) -> None:
        """Add an endpoint by the form."""
        page = self.page
        await page.goto(self.url("/app/endpoints/new"))
        await page.get_by_label("Name").fill(f"Target {number}")
        await page.get_by_label("Address").fill(TARGET_URL.format(number))
        await page.get_by_label("Check every").fill("1")
        await page.get_by_role("button", name="Add endpoint").click()
        await expect(page.get_by_role("heading", name=f"Target {number}")).to_be_visible()

    async def upgrade(self) -> None:
        """Buy Pro on the double's page; its signed event does the rest."""
        page = self.page
        await page.goto(self.url("/app/plan"))
        await expect(page.get_by_text("3 of 3")).to_be_visible()
        await page.get_by_role("button", name="Upgrade to Pro").click()
        await page.get_by_role("button", name=_CARD).click()
        await expect(page.get_by_text("Your payment is confirmed")).to_be_visible()

    async def sees_all_well(self) -> None:
        """The dashboard after a reload: still logged in, and every endpoint answers."""
        await self.page.goto(self.url("/app"))
        await expect(self.page.get_by_text("All systems operational")).to_be_visible()
        await expect(self.page).to_have_url(self.url("/app"))

    async def version(self) -> str:
        """Which release answers this browser."""
        text = await self.page.evaluate("fetch('/version').then(answer => answer.text())")
        found = re.search(r'"version": "(\w+)"', text)
        return found[1] if found else text

    async def picture(self, name: str) -> None:
        """Take one for the docs when asked to: `SCREENSHOTS=docs/pictures`."""
        if folder := os.environ.get("SCREENSHOTS"):
            await self.page.screenshot(path=EXAMPLE / folder / name, type="jpeg", quality=78)


@asynccontextmanager
async def people(site: StatusWatch, names: list[str]) -> AsyncIterator[list[Person]]:
    """A browser with a window for each organization; sessions of one are not the other's."""
    expect.set_options(timeout=_MILLISECONDS)
    async with _apart(site.server.run) as (server, program), _chromium(site, server, program) as it:
        found = []
        for name in names:
            context = await it.new_context(
                viewport={"width": 1280, "height": 860}, reduced_motion="reduce", locale="en-GB"
            )
            context.set_default_timeout(_MILLISECONDS)
            found.append(Person(Organization(site, name), await context.new_page()))
        yield found


@asynccontextmanager
async def _apart(run: str) -> AsyncIterator[tuple[str, Path]]:
    """Another machine, with a line to this one: this one's address there, and its Chromium."""
    chromium = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    assert chromium, "apt-get install chromium"
    name, net = f"bb{run}", f"198.18.{own_number(250)}"
    here, there = f"{net}.1", f"{net}.2"
    inside = ("ip", "-netns", name)
    with tempfile.TemporaryDirectory(prefix="bb-") as folder:
        program = Path(folder) / "chromium"
        program.write_text(f'#!/bin/sh\nexec ip netns exec {name} {chromium} "$@"\n')
        program.chmod(0o700)
        try:
            for words in (
                ("ip", "netns", "add", name),
                ("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name),
                ("ip", "addr", "add", f"{here}/30", "dev", name),
                ("ip", "link", "set", name, "up"),
                (*inside, "addr", "add", f"{there}/30", "dev", "eth0"),
                (*inside, "link", "set", "eth0", "up"),
                (*inside, "link", "set", "lo", "up"),
                (*inside, "route", "add", "default", "via", here),
            ):
                done = await end(await start(*words))
                assert done.code == 0, f"{' '.join(words)}: {done.said}"
            yield here, program
        finally:
            await end(await start("ip", "netns", "del", name))


@asynccontextmanager
async def _chromium(site: StatusWatch, server: str, program: Path) -> AsyncIterator[Browser]:
    edge, pages = f"{server}:{site.server.https}", f"{server}:{site.stripe_port}"
    key = await _issuer_key(site.authority)
    # The double's pages are published on loopback only.
    line = await asyncio.start_server(_to(site.stripe_port), server, site.stripe_port)
    async with line, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",  # root needs it
                f"--host-resolver-rules=MAP {SUFFIX} {edge}, MAP *.{SUFFIX} {edge},"
                f" MAP {STRIPE_HOST} {pages}",
                f"--ignore-certificate-errors-spki-list={key}",
            ],
        )
        yield browser
        await browser.close()


def _to(port: int) -> Callable[[StreamReader, StreamWriter], Awaitable[None]]:
    """Pass a connection on to a port of loopback."""

    async def copy(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def passed(reader: StreamReader, writer: StreamWriter) -> None:
        back, on = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, on), copy(back, writer))

    return passed


async def _issuer_key(authority: Authority) -> str:
    """Chromium's name for the key that signs what the authority issues."""
    own = ssl.create_default_context(cafile=str(authority.ca_root))
    url = f"https://{authority.address}:{authority.management_port}/intermediates/0"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=own) as answer:
        issuer = x509.load_pem_x509_certificate(await answer.read())
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
