"""A service of an overlay takes another's place whole: name, addresses, order of starts."""

from typing import Any

import pytest

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, Role, RouteSpec, ServiceSpec
from berthmaster.planner.overlaying import put_in_place

SPEC = AppSpec(
    "watch",
    "/app",
    {"prod": EnvironmentSpec("prod", ("compose.yaml",))},
    routes=(RouteSpec("/", "web", 8000),),
    services={"db": ServiceSpec("db", Role.STATE)},
)
RENAMES = {"mod_api": "web", "mod_db": "db"}


def model(**mod_api: Any) -> dict[str, Any]:
    return {
        "services": {
            "web": {"image": "old", "environment": {"ONLY_OLD": "1"}},
            "db": {"image": "postgres:15", "environment": {"POSTGRES_DB": "dj01"}},
            "mod_api": {"image": "new", **mod_api},
            "mod_db": {"image": "postgres:15", "environment": {"POSTGRES_DB": "mod"}},
        }
    }


def placed(**mod_api: Any) -> dict[str, Any]:
    found, _ = put_in_place(model(**mod_api), RENAMES, SPEC)
    return dict(found["services"])


def test_the_new_one_has_the_place_and_data_stays_as_it_is() -> None:
    services = placed()
    assert set(services) == {"web", "db"}
    assert services["web"] == {"image": "new"}
    assert services["db"]["environment"] == {"POSTGRES_DB": "dj01"}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("mod_db", "db"),
        ("mod_db:5432", "db:5432"),
        ("postgres://app:secret@mod_db:5432/mod_db", "postgres://app:secret@db:5432/mod_db"),
        ("redis://mod_db/0", "redis://db/0"),
        ("http://mod_api:8000/mod_api", "http://web:8000/mod_api"),
        ("mod_api,mod_db:1", "web,db:1"),
        ("mod_db_backup", "mod_db_backup"),
        ("my-mod_db", "my-mod_db"),
        ("a mod_db b", "a mod_db b"),
        (None, None),
    ],
)
def test_addresses_follow_and_other_words_do_not(value: str | None, becomes: str | None) -> None:
    assert placed(environment={"X": value})["web"]["environment"] == {"X": becomes}


def test_commands_order_and_shared_networks_follow_too() -> None:
    web = placed(
        command=["celery", "-b", "redis://mod_db:6379"],
        depends_on={"mod_db": {"condition": "service_healthy"}, "mod_api": {}},
        network_mode="service:mod_db",
    )["web"]
    assert web["command"] == ["celery", "-b", "redis://db:6379"]
    assert web["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert web["network_mode"] == "service:db"


def test_which_images_the_tag_is_for_is_told_under_the_new_names() -> None:
    _, versioned = put_in_place(model(), RENAMES, SPEC, frozenset({"mod_api", "web"}))
    assert versioned == {"web"}
    _, versioned = put_in_place(model(), RENAMES, SPEC, frozenset({"web"}))
    assert versioned == frozenset()


def test_a_service_that_nobody_has_is_refused_and_nothing_is_no_change() -> None:
    with pytest.raises(InvalidSpec, match="names mod_x, which no Compose file has"):
        put_in_place(model(), {"mod_x": "web"}, SPEC)
    same = model()
    assert put_in_place(same, {}, SPEC)[0] is same
