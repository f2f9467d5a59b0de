"""The rules over secrets: what is refused, what is not, and that no finding tells a value."""

import secrets
import string

import pytest

from berthmaster.domain.secret import (
    Delivery,
    Format,
    Need,
    SecretFile,
    SecretKind,
    SecretSpec,
)
from berthmaster.planner.secretkinds import Wanted, decide_kinds, partner_of
from berthmaster.planner.secretrules import (
    Finding,
    Held,
    Scene,
    judge,
    judge_folder,
    judge_shared,
    judge_twice,
)
from berthmaster.planner.secretstrength import is_placeholder, strength_bits

PROD = Scene("prod", is_strict=True, owners=frozenset({0}))
DEV = Scene("dev", is_strict=False, owners=frozenset({0}))
GOOD = b"kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cY"
LONG_KEY = GOOD + GOOD[::-1]


def need(name: str, **more: object) -> Need:
    return Need(name, Delivery.VARIABLE, "compose.yaml:7", **more)  # type: ignore[arg-type]


def wanted(name: str = "DB_PASSWORD", spec: SecretSpec | None = None, **more: object) -> Wanted:
    specs = {name: spec} if spec else {}
    return decide_kinds([need(name, **more)], specs, "IMAGE_TAG")[0]


def found(held: Held, scene: Scene = PROD) -> list[str]:
    return [item.rule for item in judge(held, scene)]


def held(value: bytes | None, name: str = "DB_PASSWORD", **more: object) -> Held:
    return Held(wanted(name), f"secrets/prod/{name}", value, **more)  # type: ignore[arg-type]


def lying(mode: int = 0o600, uid: int = 0, is_plain: bool = True) -> SecretFile:
    return SecretFile("DB_PASSWORD", "/app/secrets/prod/DB_PASSWORD", mode, uid, is_plain, 0.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("db_password", SecretKind.PASSWORD),
        ("POSTGRES_PASSWORD", SecretKind.PASSWORD),
        ("SECRET_KEY", SecretKind.KEY),
        ("JWT_SECRET", SecretKind.KEY),
        ("refresh_token", SecretKind.TOKEN),
        ("SESSION_SECRET", SecretKind.TOKEN),
        ("jwt_private_key", SecretKind.KEYPAIR),
        ("db_cert", SecretKind.CERTIFICATE),
        ("STRIPE_SECRET_KEY", SecretKind.GIVEN),
        ("STRIPE_WEBHOOK_SECRET", SecretKind.GIVEN),
        ("EMAIL_HOST_PASSWORD", SecretKind.GIVEN),
        ("SENTRY_DSN", SecretKind.GIVEN),
        ("tunnel_credentials", SecretKind.GIVEN),
        ("DB_PASSWORD_FILE", None),
        ("REGISTRY", None),
    ],
)
def test_the_name_tells_the_kind(name: str, kind: SecretKind | None) -> None:
    assert wanted(name).kind is kind


def test_what_berth_yaml_says_wins_over_the_name() -> None:
    item = wanted("db_password", SecretSpec("db_password", SecretKind.KEY, length=99))

    assert (item.kind, item.length, item.is_guessed) == (SecretKind.KEY, 99, False)


def test_the_release_variable_is_nobodys_secret() -> None:
    assert decide_kinds([need("IMAGE_TAG")], {}, "IMAGE_TAG") == ()


def test_a_certificate_makes_its_private_key_with_it() -> None:
    items = decide_kinds([need("db_cert"), need("db_key")], {}, "IMAGE_TAG")

    assert partner_of(items[0]) == "db_key"
    assert (items[1].kind, items[1].made_with) == (SecretKind.CERTIFICATE, "db_cert")
    assert partner_of(wanted("jwt_private_key")) == "jwt_public_key"


@pytest.mark.requirement("R337")
@pytest.mark.parametrize(
    "value",
    [
        "password",
        "changeme",
        "CHANGE_ME_NOW_PLEASE",
        "DevRoot123!",
        "your-super-secret-key-that-should-be-long-and-random",
        "your-secret-key-change-in-production",
        "django-insecure-7f$k2m&x9q!w3e4r5t6y7u8i9o0p1a2s3d4f5g6h7",
        "<the password>",
        "${DB_PASSWORD}",
        "{{ vault.password }}",
        "xxxxxxxxxxxxxxxxxxxxxxxx",
        "example-password-of-the-docs",
        "DB_PASSWORD",
        "db-password",
        "Password",
        "'postgres'",
    ],
)
def test_a_placeholder_is_refused(value: str) -> None:
    (finding,) = judge(held(value.encode()), PROD)

    assert finding.rule == "placeholder"
    assert finding.remedy == "berth secrets rotate prod DB_PASSWORD"


@pytest.mark.requirement("R373")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "Kw7!"),
        ("DB_PASSWORD", "abcdefghijklmnopqrst"),
        ("DB_PASSWORD", "Summer2025Summer2025"),
        ("DB_PASSWORD", "0123456789012345678901234567890"),
        ("SECRET_KEY", GOOD.decode()),  # good, but too short for a key
    ],
)
def test_a_weak_value_is_refused(name: str, value: str) -> None:
    assert found(held(value.encode(), name)) == ["weak"]


def test_what_a_machine_made_is_never_refused() -> None:
    alphabets = (string.ascii_letters + string.digits, "0123456789abcdef", string.printable[:90])
    for alphabet in alphabets:
        for length in (24, 32, 50, 64):
            for _ in range(300):
                value = "".join(secrets.choice(alphabet) for _ in range(length))
                # One in 80,000 of 24 hexadecimal digits has no letter, and is judged as a number.
                assert value.isdigit() or strength_bits(value) >= 64
    for _ in range(2000):
        assert not is_placeholder(secrets.token_urlsafe(48), "SECRET_KEY")


def test_a_developer_may_have_a_weak_password() -> None:
    assert found(held(b"password"), DEV) == []


def test_the_password_inside_an_address_is_looked_at() -> None:
    address = "postgres://shop:{}@db/shop"

    assert found(held(address.format("postgres").encode(), "DATABASE_URL")) == ["placeholder"]
    assert found(held(address.format(GOOD.decode()).encode(), "DATABASE_URL")) == []


@pytest.mark.requirement("R373")
@pytest.mark.parametrize("value", [None, b"", b" \n"])
def test_a_missing_value_says_who_asks_for_it_and_how_to_give_it(value: bytes | None) -> None:
    (finding,) = judge(held(value), PROD)

    assert finding.rule == "missing"
    assert "compose.yaml:7 asks for it" in finding.evidence
    assert finding.remedy.startswith("berth secrets ")


def test_what_only_a_person_can_give_has_another_remedy() -> None:
    (finding,) = judge(held(None, "STRIPE_SECRET_KEY"), PROD)

    assert finding.remedy == "berth secrets set prod STRIPE_SECRET_KEY"


def test_a_default_that_stands_in_the_compose_file_is_a_placeholder_in_prod() -> None:
    item = Held(wanted(default="sanctum"))

    (finding,) = judge(item, PROD)
    assert finding.rule == "placeholder"
    assert "sanctum" not in repr(item) + repr(finding)
    assert found(item, DEV) == []
    assert found(Held(wanted("SENTRY_DSN", default=""))) == []


@pytest.mark.requirement("R338")
@pytest.mark.parametrize(
    ("file", "rules"),
    [
        (lying(), []),
        (lying(0o400), []),
        (lying(0o640), ["permissions"]),
        (lying(0o604), ["permissions"]),
        (lying(uid=1001), ["permissions"]),
        (lying(0o644, 1001), ["permissions", "permissions"]),
        (lying(is_plain=False), ["file"]),
    ],
)
def test_only_its_owner_may_read_a_secret(file: SecretFile, rules: list[str]) -> None:
    assert found(held(GOOD, file=file)) == rules


def test_nobody_else_may_write_where_secrets_lie() -> None:
    assert [item.rule for item in judge_folder(lying(0o777), "secrets/prod", PROD)]
    assert not list(judge_folder(lying(0o755), "secrets/prod", PROD))


@pytest.mark.requirement("R56")
@pytest.mark.parametrize(
    ("name", "form", "value", "is_good"),
    [
        ("STRIPE_KEY", Format.STRIPE_LIVE, "sk_live_51H8abcdefghij", True),
        ("STRIPE_KEY", Format.STRIPE_LIVE, "sk_test_51H8abcdefghij", False),
        ("STRIPE_PUBLIC_KEY", None, "pk_live_51H8abcdefghij", True),
        ("STRIPE_PUBLIC_KEY", None, "pk_test_51H8abcdefghij", False),
        ("STRIPE_WEBHOOK_SECRET", None, "whsec_51H8abcdefghij", True),
        ("STRIPE_WEBHOOK_SECRET", None, "sk_live_51H8abcdefghij", False),
        ("STRIPE_PRO_PRICE_ID", None, "price_1ABCdef", True),
        ("STRIPE_PRO_PRICE_ID", None, "prod_1ABCdef", False),
        ("SENTRY_DSN", None, "https://k7Hq29xL@o1.ingest.sentry.test/2", True),
        ("SENTRY_DSN", None, "sentry.test/2", False),
        ("STATUS_URL", Format.HTTPS_URL, "http://status.test", False),
        ("STATUS_URL", Format.HTTPS_URL, "https://status.test/x", True),
        ("STATUS_URL", None, "https://[bad", False),
        ("ADMIN", Format.EMAIL, "Ann <ann@shop.test>", True),
        ("ADMIN", Format.EMAIL, "ann", False),
        ("PORT", Format.INTEGER, "80a", False),
        ("DEBUG", Format.BOOLEAN, "maybe", False),
        ("HOST", Format.HOST, "a b", False),
        ("SALT_HEX", Format.HEX, "0g" * 20, False),
        ("BLOB", Format.BASE64, "not base64!", False),
        ("db_cert", None, "nonsense of some length", False),
    ],
)
def test_a_value_must_look_like_what_it_is(
    name: str, form: Format | None, value: str, is_good: bool
) -> None:
    item = wanted(name, SecretSpec(name, SecretKind.GIVEN, format=form))
    findings = list(judge(Held(item, ".env.prod", value.encode()), PROD))

    assert [one.rule for one in findings] == ([] if is_good else ["format"])
    assert value not in repr(findings)


def test_test_keys_of_stripe_are_for_every_environment_but_prod() -> None:
    item = Held(wanted("STRIPE_SECRET_KEY"), "x", b"sk_test_51H8abcdefghij")

    assert found(item, Scene("stage", is_strict=True, owners=frozenset({0}))) == []


@pytest.mark.requirement("R332")
def test_a_value_that_two_environments_share_is_found_without_its_value() -> None:
    marks = {"prod": {"a": "11", "b": "22"}, "stage": {"a": "33", "c": "22"}}

    (finding,) = judge_shared("prod", marks, {})
    assert (finding.name, finding.evidence) == ("b", "has the same value as c in stage")
    assert not list(judge_shared("prod", marks, {"b": "one sandbox for both"}))


def test_a_name_in_two_places_is_found() -> None:
    (finding,) = judge_twice(["A"], "secrets/prod", ".env.prod")

    assert isinstance(finding, Finding)
    assert finding.remedy == "take A out of .env.prod"


def test_nothing_that_is_printed_holds_a_value() -> None:
    item = held(LONG_KEY, file=lying(0o644))

    assert LONG_KEY.decode() not in repr(item) + repr(list(judge(item, PROD)))
