"""The frontend in Chromium against the real application: what a person does, from the sign-up on.

`SCREENSHOTS=docs/pictures ./test tests/test_browser.py` takes the pictures of the docs, and of every page into pages/.
"""

import os
import re
from collections.abc import Iterator
from contextlib import closing

import browsing
import pytest
import stripe_double
from browsing import Stack
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

# The mark makes pytest-django set the database up that the application gets a copy of.
pytestmark = [pytest.mark.browser, pytest.mark.django_db]
AXE = browsing.FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 860}
PASSWORD = "Correct-horse-9"
EMAIL = "ann@fresh-fish.example"
SECONDS = 15_000
expect.set_options(timeout=SECONDS)
IN_THE_DOCS = {"landing-light", "status-dark"}


@pytest.fixture(scope="module")
def stack(
    django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    from django.db import connections

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        template = connections["default"].settings_dict["NAME"]
        connections.close_all()  # a database that somebody is connected to cannot be copied
    with browsing.running(template, tmp_path_factory.mktemp("browser")) as started:
        connections.close_all()
        yield started


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    """Start it after the copy was made: beside Playwright's loop Django keeps its connection elsewhere."""
    from django.db import connections

    with pytest.MonkeyPatch.context() as patch, browsing.chromium() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright leaves its loop running in this thread
        yield started
        connections.close_all()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of somebody who was never here."""
    with closing(fresh(browser)) as context:
        yield from watched(context)


@pytest.fixture(scope="module")
def guest(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """Somebody who looks around in the demo."""
    with closing(fresh(browser)) as context:
        page = context.new_page()
        page.goto(stack.url("localhost", "/login"))
        page.get_by_role("button", name="Look around in the demo").click()
        expect(page).to_have_url(stack.url("acme.localhost", "/app"))
        page.close()
        yield context


@pytest.fixture
def demo(guest: BrowserContext, stack: Stack) -> Iterator[Page]:
    """A tab of theirs, on the dashboard."""
    for page in watched(guest):
        page.goto(stack.url("acme.localhost", "/app"))
        yield page


def fresh(browser: Browser, scheme: str = "light", viewport: ViewportSize = DESK) -> BrowserContext:
    context = browser.new_context(viewport=viewport, reduced_motion="reduce", color_scheme=scheme, locale="en-GB")
    context.set_default_timeout(SECONDS)
    return context


def watched(context: BrowserContext) -> Iterator[Page]:
    """Nothing goes wrong unseen: an exception or a refusal of the content security policy fails the test."""
    problems: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    page.close()
    assert problems == []


def picture(page: Page, name: str) -> None:
    """Take a picture for the docs when asked to; `pages/` are for looking at, and PNG."""
    if folder := os.environ.get("SCREENSHOTS"):
        path = browsing.EXAMPLE / folder / name
        if path.suffix == ".png":
            page.screenshot(path=path, full_page=True)
        else:
            page.screenshot(path=path, type="jpeg", quality=78)


def log_in(page: Page, url: str, name: str, password: str) -> None:
    page.goto(url)
    page.get_by_label("E-mail or user name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def verification_link(stack: Stack, already: int) -> str:
    """Return the link of the mail that the worker has written to its console."""
    import time

    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found = browsing.links(stack)
        if len(found) > already:
            return found[-1]
        time.sleep(0.1)
    pytest.fail(f"no mail: {stack.worker_log.read_text()[-2000:]}")


def test_from_the_sign_up_to_the_status_page(page: Page, stack: Stack) -> None:
    page.goto(stack.url("localhost"))
    page.get_by_role("link", name="Start for free").first.click()
    page.get_by_label("Organization").fill("Fresh Fish")
    expect(page.get_by_text("fresh-fish.localhost")).to_be_visible()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill("too short")
    expect(page.get_by_role("button", name="Sign up")).to_be_disabled()
    page.get_by_label("Password").fill(PASSWORD)
    picture(page, "sign-up.jpg")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()

    log_in(page, stack.url("localhost", "/login"), EMAIL, PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("confirm your address")
    page.goto(verification_link(stack, 0))
    expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    log_in(page, stack.url("localhost", "/login"), EMAIL, PASSWORD)
    expect(page).to_have_url(stack.url("fresh-fish.localhost", "/app"))
    expect(page.get_by_role("heading", name="Nothing is watched yet")).to_be_visible()

    page.get_by_role("link", name="Add your first endpoint").click()
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_label("Name")).to_be_focused()
    expect(page.get_by_text("Give it a name.")).to_be_visible()
    page.get_by_label("Name").fill("Shop")
    page.get_by_label("Address").fill("http://10.0.0.1/")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")  # the server's word
    page.get_by_label("Address").fill(stack.target.url)
    page.get_by_label("Check every").fill("1")
    page.get_by_label("Text in the body").fill("All systems go")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    expect(page.get_by_text("Body contains “All systems go”")).to_be_visible()

    page.get_by_role("navigation").get_by_role("link", name="Endpoints").click()
    page.reload()  # the session outlives it
    expect(page.get_by_text("All systems operational")).to_be_visible()
    page.goto(stack.url("fresh-fish.localhost"))
    expect(page.get_by_text("All systems operational")).to_be_visible()
    expect(page.get_by_role("list", name="Endpoints")).to_contain_text("Shop")
    expect(page.locator("body")).not_to_contain_text(stack.target.url)

    stack.target.status = 503
    try:
        expect_after_reloads(page, "1 of 1 endpoint down")
        expect_after_reloads(page, "Going on for")  # two failures in a row
        expect(page.get_by_text("HTTP 503")).to_be_visible()
        page.get_by_role("link", name="Dashboard").click()
        expect(page.get_by_role("link", name=re.compile("Incidents.*1"))).to_be_visible()
    finally:
        stack.target.status = 200


def expect_after_reloads(page: Page, text: str) -> None:
    """The page asks every 30 s; a reload asks now."""
    for _ in range(40):
        if page.get_by_text(text).is_visible():
            return
        page.wait_for_timeout(250)
        page.reload()
        page.get_by_role("list", name="Endpoints").wait_for()
    pytest.fail(f"never {text!r}")


def test_the_demo_shows_a_day_of_history(demo: Page) -> None:
    expect(demo.get_by_text("All systems operational")).to_be_visible()
    expect(demo.get_by_role("img", name=re.compile("Last 40 checks: all good"))).to_have_count(3)
    picture(demo, "dashboard.jpg")
    demo.get_by_role("link", name="Docs").click()
    expect(demo.get_by_role("heading", name="Latency")).to_be_visible()
    chart = demo.get_by_role("group", name=re.compile("Latency chart"))
    chart.focus()
    demo.keyboard.press("ArrowLeft")
    demo.keyboard.press("ArrowLeft")
    expect(chart.locator("[aria-live]")).to_have_text(re.compile(r"mean \d+ ms, \d+ of \d+ checks good"))
    demo.mouse.move(0, 0)
    demo.get_by_role("heading", name="Docs").focus()
    picture(demo, "endpoint.jpg")
    demo.get_by_role("button", name="7d").click()
    expect(demo.get_by_role("button", name="7d")).to_have_attribute("aria-pressed", "true")


def test_who_is_in_several_organizations_chooses_one(page: Page, stack: Stack) -> None:
    log_in(page, stack.url("localhost", "/login"), "demo", browsing.DEMO_PASSWORD)
    expect(page.get_by_role("heading", name="Which organization?")).to_be_visible()
    page.get_by_role("button", name="Beta").click()
    expect(page).to_have_url(stack.url("beta.localhost", "/app"))
    assert "session" not in page.evaluate("location.hash + JSON.stringify(history.state)")


def test_a_session_from_a_stranger_is_not_taken(page: Page, stack: Stack) -> None:
    session = browsing.ask(stack, "localhost", "/api/auth/demo/", {})
    page.goto(stack.url("acme.localhost", f"/login#session={session['refresh']}"))  # no page of ours led here
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    assert page.evaluate("location.hash") == ""
    assert page.evaluate("localStorage.length") == 0


def test_a_wrong_password_is_told_and_who_is_logged_out_comes_back_to_the_page(page: Page, stack: Stack) -> None:
    page.goto(stack.url("acme.localhost", "/app/plan"))
    expect(page).to_have_url(stack.url("acme.localhost", "/login?next=%2Fapp%2Fplan"))
    page.get_by_label("E-mail or user name").fill("demo")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Wrong user name or password.")
    page.get_by_label("Password").fill(browsing.DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_url(stack.url("acme.localhost", "/app/plan"))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    page.goto(stack.url("acme.localhost", "/app/plan"))
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()


def test_who_reloads_before_a_renewal_is_answered_stays_logged_in(demo: Page, stack: Stack) -> None:
    renewals = re.compile(r"/api/auth/refresh/")

    def lose(route: Route) -> None:
        route.fetch(url=route.request.url.replace("acme.", ""))  # used up; the resolver knows no tenant
        route.abort()

    demo.route(renewals, lose)
    with demo.expect_event("requestfailed", lambda request: bool(renewals.search(request.url))):
        demo.reload()
    demo.unroute(renewals)
    demo.reload()
    expect(demo).to_have_url(stack.url("acme.localhost", "/app"))
    expect(demo.get_by_text("All systems operational")).to_be_visible()


def test_a_page_that_breaks_leaves_the_rest_usable(demo: Page) -> None:
    lists = re.compile(r"/api/endpoints/\?")
    demo.route(lists, lambda route: route.fulfill(json={"next": None, "results": [{"id": "x"}]}))
    demo.reload()
    expect(demo.get_by_role("alert")).to_contain_text("This page broke")
    demo.get_by_role("link", name="Incidents").click()
    expect(demo.get_by_role("heading", name="Incidents")).to_be_visible()
    demo.get_by_role("navigation").get_by_role("link", name="Endpoints").click()
    expect(demo.get_by_role("alert")).to_contain_text("This page broke")
    demo.unroute(lists)
    demo.get_by_role("button", name="Try again").click()
    expect(demo.get_by_text("All systems operational")).to_be_visible()


def test_a_server_that_does_not_answer_is_told_and_asked_again(demo: Page) -> None:
    lists = re.compile(r"/api/alert-channels/\?")
    demo.route(lists, lambda route: route.fulfill(status=400, json={"detail": "Not today."}))
    demo.get_by_role("link", name="Alerts").click()
    expect(demo.get_by_role("alert")).to_contain_text("Not today.")
    demo.unroute(lists)
    demo.get_by_role("button", name="Try again").click()
    expect(demo.get_by_text("oncall@acme.example").first).to_be_visible()


def test_an_owner_upgrades_and_ends_the_plan(page: Page, stack: Stack) -> None:
    given = {"organization": "Big Fish", "email": "bob@big-fish.example", "password": PASSWORD}
    already = len(browsing.links(stack))
    browsing.ask(stack, "localhost", "/api/auth/register/", given)
    page.goto(verification_link(stack, already))
    log_in(page, stack.url("big-fish.localhost", "/login?next=%2Fapp%2Fplan"), "bob@big-fish.example", PASSWORD)
    expect(page.get_by_text("0 of 3")).to_be_visible()
    page.get_by_role("button", name="Upgrade to Pro").click()
    page.get_by_role("button", name=stripe_double.GOOD_CARD).click()
    expect(page.get_by_text("Your payment is confirmed")).to_be_visible()
    expect(page.get_by_text("0, as many as you like")).to_be_visible()
    picture(page, "plan.jpg")
    page.get_by_role("button", name="End Pro").click()
    expect(page.get_by_text(re.compile("Pro ends on"))).to_be_visible()
    page.get_by_role("button", name="Keep Pro").click()
    expect(page.get_by_role("button", name="End Pro")).to_be_visible()


def test_what_is_not_checked_says_who_paused_it(demo: Page, stack: Stack) -> None:
    demo.get_by_role("link", name="Docs").click()
    demo.get_by_role("button", name="Pause").click()
    expect(demo.get_by_role("button", name="Go on")).to_be_visible()
    expect(demo.get_by_text("Paused", exact=True)).to_be_visible()
    demo.get_by_role("button", name="Go on").click()
    expect(demo.get_by_role("button", name="Pause")).to_be_visible()
    demo.goto(stack.url("acme.localhost", "/app/endpoints/new"))
    demo.get_by_label("Name").fill("The fourth")
    demo.get_by_label("Address").fill(f"{stack.target.url}fourth")
    demo.get_by_role("button", name="Add endpoint").click()
    expect(demo.get_by_role("heading", name="The fourth")).to_be_visible()
    browsing.set_plan("acme", "free")
    try:
        demo.reload()
        expect(demo.get_by_text("Your plan has no room to check this one.")).to_be_visible()
        demo.get_by_role("navigation").get_by_role("link", name="Endpoints").click()
        expect(demo.get_by_text("no room in the plan")).to_have_count(1)
    finally:
        browsing.set_plan("acme", "pro")
    demo.get_by_role("link", name="The fourth").click()
    demo.get_by_role("button", name="Delete").click()
    demo.get_by_role("button", name="Delete it").click()
    expect(demo.get_by_text("The fourth")).to_have_count(0)


def test_maintenance_alerts_and_keys_are_made_and_taken_away(demo: Page) -> None:
    demo.get_by_role("link", name="Maintenance").click()
    demo.get_by_role("button", name="Plan maintenance").click()
    demo.get_by_label("Name").fill("New router")
    demo.get_by_label("Of").select_option("Docs")
    demo.get_by_role("button", name="Plan it").click()
    expect(demo.get_by_text("Going on", exact=True)).to_be_visible()
    demo.get_by_role("button", name="Delete New router").click()
    demo.get_by_role("button", name="Delete it").click()
    expect(demo.get_by_text("New router")).to_have_count(0)

    demo.get_by_role("link", name="Alerts").click()
    demo.get_by_role("button", name="Add channel").click()
    demo.get_by_label("Kind").select_option("Webhook")
    demo.get_by_label("URL").fill("http://192.168.0.1/")
    demo.get_by_role("button", name="Add it").click()
    expect(demo.get_by_label("URL")).to_have_attribute("aria-invalid", "true")
    demo.get_by_label("Kind").select_option("E-mail")
    demo.get_by_label("Address").fill("bob@acme.example")
    demo.get_by_role("button", name="Add it").click()
    expect(demo.get_by_text("bob@acme.example", exact=True)).to_be_visible()
    demo.get_by_role("button", name="Delete bob@acme.example").click()
    expect(demo.get_by_text("bob@acme.example")).to_have_count(0)

    demo.get_by_role("link", name="API keys").click()
    demo.get_by_label("Name of the program").fill("deploys")
    demo.get_by_role("button", name="Make a key").click()
    expect(demo.get_by_role("status")).to_contain_text("sw_")
    demo.get_by_role("button", name="Delete deploys").click()
    demo.get_by_role("button", name="Delete it").click()
    expect(demo.get_by_role("list", name="Keys")).to_have_count(0)


INSIDE = ("/app", "/app/endpoints/new", "/app/incidents", "/app/maintenance", "/app/alerts", "/app/keys", "/app/plan")


@pytest.mark.parametrize(("scheme", "size"), [("light", "desk"), ("dark", "phone")])
def test_every_page_is_accessible_and_fits(browser: Browser, stack: Stack, scheme: str, size: str) -> None:
    session = browsing.ask(stack, "localhost", "/api/auth/demo/", {})
    problems = []
    with closing(fresh(browser, scheme, PHONE if size == "phone" else DESK)) as context:
        page = context.new_page()
        for path in ("/", "/signup", "/login", "/resend"):
            problems += look(page, stack, "localhost", path, f"{path.strip('/') or 'landing'}-{scheme}")
        problems += look(page, stack, "acme.localhost", "/", f"status-{scheme}")
        page.evaluate("token => localStorage.setItem('statuswatch.refresh', token)", session["refresh"])
        for path in INSIDE:
            problems += look(page, stack, "acme.localhost", path, f"{path.split('/')[-1]}-{scheme}")
        page.goto(stack.url("acme.localhost", "/app"))
        first = page.get_by_role("list", name="Endpoints").get_by_role("link").first.get_attribute("href") or ""
        for path, name in ((first, "endpoint-page"), (f"{first}/edit", "edit")):
            problems += look(page, stack, "acme.localhost", path, f"{name}-{scheme}")
    assert problems == []


def look(page: Page, stack: Stack, host: str, path: str, name: str) -> list[str]:
    """Return what axe finds on a page, and whether it is wider than the window."""
    page.goto(stack.url(host, path))
    page.get_by_role("heading", level=1).wait_for()
    page.locator(".skeleton").first.wait_for(state="detached")
    picture(page, f"pages/{name}.png")
    if name in IN_THE_DOCS:
        picture(page, f"{name}.jpg")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    problems = [
        f"{name}: {rule['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        problems.append(f"{name}: wider than the window")
    return problems
