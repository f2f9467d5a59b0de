"""Secrets of an app on a real disk: made, given, judged; never written over, never shown."""

from pathlib import Path

import pytest
from tests.unit.services.secretapp import (
    COMPOSE,
    STRIPE,
    SecretApp,
    complete_app,
    secret_app,
)

from berthmaster.domain.errors import NotAllowed, NotFound, UserError
from berthmaster.services.give_secrets import init_secrets, set_secret
from berthmaster.services.judge_secrets import judge_secrets, judge_shared
from berthmaster.services.read_secrets import read_secrets


def rules(app: SecretApp, environment: str = "prod") -> dict[str, str]:
    inventory = read_secrets(app.outside, app.folder, environment)
    found = [*judge_secrets(app.outside, inventory), *judge_shared(app.outside, inventory)]
    assert not [
        value for value in app.values(environment).values() if value and value in repr(found)
    ]
    return {item.name: item.rule for item in found}


@pytest.mark.requirement("R333")
def test_init_makes_what_a_machine_may_make_and_names_the_rest(tmp_path: Path) -> None:
    app = secret_app(tmp_path)
    done = init_secrets(app.outside, tmp_path, "prod")

    assert {item.name: item.kind for item in done.made} == {
        "SECRET_KEY": "key",
        "db_cert": "certificate",
        "db_key": "certificate",
        "db_password": "password",
    }
    assert {item.name: item.where for item in done.wanted} == {
        "SITE_NAME": ".env.prod",
        "STRIPE_SECRET_KEY": "secrets/prod/STRIPE_SECRET_KEY",
    }
    assert len(app.values()["SECRET_KEY"]) == 64
    assert app.values()["db_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert {path.stat().st_mode & 0o777 for path in app.secret("x").parent.iterdir()} == {0o600}


def test_init_twice_writes_over_nothing(tmp_path: Path) -> None:
    app = secret_app(tmp_path)
    init_secrets(app.outside, tmp_path, "prod")
    before = app.values()
    done = init_secrets(app.outside, tmp_path, "prod")

    assert (done.made, app.values()) == ((), before)
    assert {item.name for item in done.there} == set(before)


def test_half_a_pair_is_not_completed_by_something_that_does_not_fit(tmp_path: Path) -> None:
    app = secret_app(tmp_path)
    app.write("secrets/prod/db_key", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n")
    done = init_secrets(app.outside, tmp_path, "prod")

    assert "db_cert" in {item.name for item in done.wanted}
    assert not app.secret("db_cert").exists()


def test_environments_get_values_of_their_own(tmp_path: Path) -> None:
    app = complete_app(tmp_path)

    assert not set(app.values("stage").values()) & set(app.values("prod").values())
    assert (rules(app, "prod"), rules(app, "stage"), rules(app, "dev")) == ({}, {}, {})


@pytest.mark.requirement("R332")
def test_a_value_of_stage_in_prod_is_found(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    app.secret("db_password").write_text(app.values("stage")["db_password"] + "\n")

    assert rules(app) == {"db_password": "shared"}
    app.write(
        "berth.yaml",
        (tmp_path / "berth.yaml").read_text()
        + "secrets: {db_password: {shared: one database for both}}\n",
    )
    assert rules(app) == {}


@pytest.mark.requirement("R373")
@pytest.mark.parametrize(
    ("name", "content", "mode", "rule"),
    [
        ("db_password", "changeme", 0o600, "placeholder"),
        ("db_password", "Tr0ub4dor", 0o600, "weak"),
        ("db_password", "", 0o600, "missing"),
        ("db_password", None, 0o600, "missing"),
        ("SECRET_KEY", "kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cY", 0o600, "weak"),
        ("STRIPE_SECRET_KEY", "sk_test_51H8abcdefghijk", 0o600, "format"),
        ("db_cert", "no certificate at all, but long", 0o600, "format"),
        ("db_password", "kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cY", 0o644, "permissions"),
        ("STRIPE_SECRET_KEY", STRIPE, 0o640, "permissions"),
    ],
)
def test_each_bad_secret_is_found(
    tmp_path: Path, name: str, content: str | None, mode: int, rule: str
) -> None:
    app = complete_app(tmp_path)
    if content is None:
        app.secret(name).unlink()
    else:
        app.secret(name).write_text(content)
        app.secret(name).chmod(mode)

    assert rules(app) == {name: rule}


def test_a_link_in_a_secrets_place_is_found_and_not_read(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    app.secret("db_password").unlink()
    app.secret("db_password").symlink_to("/etc/hostname")

    assert rules(app) == {"db_password": "file"}


def test_a_folder_that_others_may_write_is_found(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    app.secret("x").parent.chmod(0o777)

    assert rules(app) == {"secrets/prod": "permissions"}


def test_a_variable_in_two_places_is_found(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    app.write(".env.prod", f"SITE_NAME=Shop\nSECRET_KEY={app.values()['SECRET_KEY']}\n")

    assert rules(app) == {"SECRET_KEY": "twice"}


def test_an_open_env_file_is_found_only_when_a_secret_is_in_it(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    key = app.values()["SECRET_KEY"]
    app.secret("SECRET_KEY").unlink()
    app.write(".env.prod", f"SITE_NAME=Shop\nSECRET_KEY='{key}'\n", 0o644)

    assert rules(app) == {".env.prod": "permissions"}
    (tmp_path / ".env.prod").chmod(0o600)
    assert rules(app) == {}


def test_a_default_in_the_compose_file_is_no_secret(tmp_path: Path) -> None:
    compose = COMPOSE.replace("${SECRET_KEY}", "${SECRET_KEY:-dev-only}")
    app = secret_app(tmp_path, compose)

    assert rules(secret_and_prod_folder(app))["SECRET_KEY"] == "placeholder"
    assert "SECRET_KEY" in {item.name for item in init_secrets(app.outside, tmp_path, "prod").made}
    assert "SECRET_KEY" not in {
        item.name for item in init_secrets(app.outside, tmp_path, "dev").made
    }


def secret_and_prod_folder(app: SecretApp) -> SecretApp:
    app.secret("x").parent.mkdir(parents=True)
    return app


def test_a_given_value_is_written_byte_for_byte(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    value = b"a$b $${C} 'single' \"double\" \\ \xc3\xa9 kB7vQ2mZ9xW4\nsecond line\n"
    where = set_secret(app.outside, tmp_path, "prod", "db_password", value)

    assert where == "secrets/prod/db_password"
    assert app.secret("db_password").read_bytes() == value


@pytest.mark.parametrize("value", [b"password", b"short", b"", b" \n"])
def test_a_bad_value_is_not_written(tmp_path: Path, value: bytes) -> None:
    app = complete_app(tmp_path)
    before = app.values()
    with pytest.raises(UserError):
        set_secret(app.outside, tmp_path, "prod", "db_password", value)

    assert app.values() == before


def test_a_name_that_nobody_asks_for_is_told_with_the_nearest(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    with pytest.raises(NotFound, match="Did you mean db_password"):
        set_secret(app.outside, tmp_path, "prod", "db_pasword", b"x" * 40)
    with pytest.raises(UserError, match="not a valid secret"):
        set_secret(app.outside, tmp_path, "prod", "../../etc/x", b"x" * 40, is_forced=True)


def test_a_value_is_not_written_beside_another_that_would_hide_it(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    app.secret("STRIPE_SECRET_KEY").unlink()
    app.write(".env.prod", f"SITE_NAME=Shop\nSTRIPE_SECRET_KEY={STRIPE}\n")
    with pytest.raises(NotAllowed, match=r"stands in \.env\.prod"):
        set_secret(app.outside, tmp_path, "prod", "STRIPE_SECRET_KEY", STRIPE.encode())


def test_nothing_that_is_returned_or_shown_holds_a_value(tmp_path: Path) -> None:
    app = complete_app(tmp_path)
    inventory = read_secrets(app.outside, tmp_path, "prod")
    done = init_secrets(app.outside, tmp_path, "prod")

    assert not [value for value in app.values().values() if value in repr((inventory, done))]
