"""Every check of secrets: it passes on a good app, fails on a broken one, and stops a deploy."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import release
from tests.unit.services.secretapp import SecretApp, complete_app

from berthmaster.domain import checks
from berthmaster.domain.check import Check, CheckKind, Severity
from berthmaster.domain.names import StackId
from berthmaster.services.checks import secrets
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.checks.register import CHECKERS
from berthmaster.services.render_model import ReleaseRequest, Rendering
from berthmaster.testing.clock import FakeClock

MODEL: dict[str, Any] = {"services": {"web": {"image": "x", "environment": {"MODE": "prod"}}}}
MINE = [item for item in checks.CATALOGUE if item.id.startswith("secret")]


async def answers(app: SecretApp, model: dict[str, Any] | None = None) -> list[Check]:
    outside = app.outside
    spec = outside.specs.read(app.folder)
    request = ReleaseRequest(StackId("shop", "prod"), app.folder)
    rendering = Rendering(spec, spec.environments["prod"], model or MODEL, (), ())
    facts = CheckFacts(outside, request, spec, rendering)
    found = await secrets.check_secrets(facts)
    return [*found, *await secrets.check_shared(facts), *await secrets.check_vault(facts)]


def bad(found: list[Check]) -> set[str]:
    return {item.id for item in found if item.is_bad}


def missing(app: SecretApp) -> None:
    app.secret("SECRET_KEY").unlink()


def placeholder(app: SecretApp) -> None:
    app.secret("SECRET_KEY").write_text("your-secret-key-change-in-production")


def weak(app: SecretApp) -> None:
    app.secret("SECRET_KEY").write_text("kB7vQ2mZ9xW4tR8n")


def malformed(app: SecretApp) -> None:
    app.secret("STRIPE_SECRET_KEY").write_text("whsec_51H8abcdefghijk")


def open_to_others(app: SecretApp) -> None:
    app.secret("db_password").chmod(0o644)


def shared(app: SecretApp) -> None:
    app.secret("db_password").write_text(app.values("stage")["db_password"])


def in_two_places(app: SecretApp) -> None:
    app.write(".env.prod", f"SITE_NAME=Shop\nSECRET_KEY={app.values()['SECRET_KEY']}\n")


def ended(app: SecretApp) -> None:
    end_of_certificate(app, timedelta(days=-1))


def end_of_certificate(app: SecretApp, left: timedelta) -> None:
    """Turn the clock until the certificate has so much time left."""
    end = app.outside.secret_files.ends_at(app.secret("db_cert").read_bytes())
    clock = app.world.outside.clock
    assert end
    assert isinstance(clock, FakeClock)
    clock.advance((end - clock.now() - left).total_seconds())


def locked_out(app: SecretApp) -> None:
    app.world.record(release(1))
    app.world.outside.store.mark_live(
        StackId("shop", "prod"), 1, old=None, warm_until=None, fence=fence(app)
    )
    app.vault.has_wrong_key = True


def fence(app: SecretApp) -> int:
    return app.world.outside.store.acquire_lease("shop@prod", holder="t", seconds=9).fence


BREAKS: dict[CheckKind, Callable[[SecretApp], None]] = {
    checks.KEYS: missing,
    checks.PLACEHOLDERS: placeholder,
    checks.STRENGTH: weak,
    checks.FORMATS: malformed,
    checks.PERMISSIONS: open_to_others,
    checks.SHARED: shared,
    checks.ONE_PLACE: in_two_places,
    checks.EXPIRY: ended,
}


@pytest.mark.requirement("R373")
@pytest.mark.parametrize("kind", BREAKS, ids=lambda kind: kind.id)
async def test_a_check_fails_on_what_it_is_for_and_on_nothing_else(
    tmp_path: Path, kind: CheckKind
) -> None:
    app = complete_app(tmp_path)
    assert bad(await answers(app)) == set()
    BREAKS[kind](app)
    found = await answers(app)

    assert bad(found) == {kind.id}
    for item in found:
        assert item.remedy or not item.is_bad
        assert not [value for value in app.values().values() if value in repr(item)]


async def test_a_key_that_opens_no_record_fails_the_check(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    locked_out(app)
    spec = app.outside.specs.read(tmp_path)
    request = ReleaseRequest(StackId("shop", "prod"), tmp_path)
    (answer,) = await secrets.check_vault(CheckFacts(app.outside, request, spec))

    assert (answer.id, answer.severity) == ("secret_vault", Severity.OUTSIDE)


def test_every_kind_is_broken_by_a_test_and_asked_by_a_deploy() -> None:
    assert {*BREAKS, checks.VAULT} == set(MINE)
    asked = {kind for item in CHECKERS if item.in_deploy for kind in item.kinds}
    assert set(MINE) - {checks.VAULT} <= asked  # that one: `refuse_unreadable`, before all others


async def test_a_placeholder_that_stands_in_a_compose_file_is_found(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    model = {"services": {"db": {"image": "x", "environment": {"POSTGRES_PASSWORD": "postgres"}}}}

    assert bad(await answers(app, model)) == {"secret_placeholder"}
    model = {"services": {"db": {"image": "x", "environment": {"CACHE_KEY_PREFIX": "default"}}}}
    assert bad(await answers(app, model)) == set()


async def test_rules_for_other_values_are_asked_of_what_services_get(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    text = (tmp_path / "berth.yaml").read_text()
    rules = "config: {required: [DB_SSLMODE], formats: {STATUS_URL: https_url}}\n"
    app.write("berth.yaml", text + rules)
    model = {"services": {"web": {"image": "x", "environment": {"STATUS_URL": "http://x.test"}}}}

    assert bad(await answers(app, model)) == {"secrets_set", "secret_format"}
    good = {"STATUS_URL": "https://x.test", "DB_SSLMODE": "require"}
    model = {"services": {"web": {"image": "x", "environment": good}}}
    assert bad(await answers(app, model)) == set()


async def test_a_certificate_that_ends_soon_is_a_note(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    end_of_certificate(app, timedelta(days=10))
    found = [item for item in await answers(app) if item.id == "secret_expiry"]

    assert [item.severity for item in found] == [Severity.NOTE]
