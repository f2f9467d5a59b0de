"""What is told of two releases: every change, and no value."""

from dataclasses import replace
from typing import Any

from tests.builders import release

from berthmaster.domain.release import Release, ReleaseRoute
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import Role
from berthmaster.planner.releasediff import Sealed, compare_releases

OLD = {"A": "1", "SECRET_KEY": "planted-old", "GONE": "x", "{{secret PASS}}": "planted-p"}
NEW = {"A": "1", "SECRET_KEY": "planted-new", "FRESH": "y", "{{secret PASS}}": "planted-p"}


def told(old: Release, new: Release, *values: SealedValues) -> list[tuple[str, str, str]]:
    ours, theirs = values or (SealedValues(), SealedValues())
    lines = compare_releases(Sealed(old, ours), Sealed(new, theirs))
    return [(item.section, item.subject, item.text) for item in lines]


def release_of(number: int, **more: Any) -> Release:
    return replace(release(number, tag="v6", artifact="a" * 64), **more)


def test_two_releases_of_the_same_differ_in_their_image_only() -> None:
    assert {item[0] for item in told(release_of(6), release_of(7))} == {"images"}


def test_artifact_tag_and_revision_are_told_with_before_and_after() -> None:
    found = told(release_of(6), release_of(6, tag="v7", revision="c" * 40, artifact="b" * 64))
    assert found == [
        ("release", "artifact", "aaaaaaaaaaaa -> bbbbbbbbbbbb"),
        ("release", "revision", "- -> cccccccccccccccccccc"),
        ("release", "tag", "v6 -> v7"),
    ]


def test_settings_are_told_by_name_and_never_by_value() -> None:
    old, new = SealedValues({"web-r6-1": OLD}), SealedValues({"web-r7-1": NEW})
    found = [item for item in told(release_of(6), release_of(7), old, new) if item[0] == "config"]
    assert found == [
        ("config", "web", "FRESH is new"),
        ("config", "web", "GONE is gone"),
        ("config", "web", "SECRET_KEY changed"),
        ("config", "web", "2 unchanged"),
    ]
    assert "planted" not in str(found)


def test_a_rotated_secret_file_changed_and_the_others_did_not() -> None:
    old = SealedValues({}, {"secrets/10001/stripe": b"one", "secrets/10001/mail": b"same"})
    new = SealedValues({}, {"secrets/10001/stripe": b"two", "secrets/10001/mail": b"same"})
    found = told(release_of(6), release_of(6), old, new)
    assert found == [("secrets", "stripe", "changed"), ("secrets", "others", "1 unchanged")]


def test_a_service_a_role_and_a_route_that_changed_are_told() -> None:
    old = release_of(6)
    services = tuple(
        replace(item, role=Role.SINGLE) if item.name == "worker" else item
        for item in old.services
        if item.name != "beat"
    )
    new = replace(old, services=services, routes=(*old.routes, ReleaseRoute("/x", None, site="x")))
    found = told(old, new)
    assert ("services", "worker", "consumer -> single") in found
    assert ("services", "beat", "single -> -") in found
    assert ("routes", "+", "https: shop.test/x -> site x") in found


def test_a_compose_setting_that_changed_is_told_without_its_value() -> None:
    old, new = release_of(6), release_of(6)
    model = {**new.model, "services": dict(new.model["services"])}
    model["services"]["worker-r6-1"] = {
        **model["services"]["worker-r6-1"],
        "mem_limit": "planted",
    }
    assert told(old, replace(new, model=model)) == [("settings", "worker", "mem_limit is new")]


def test_files_of_the_artifact_are_told() -> None:
    old = release_of(6, inputs={"compose.yaml": "1", "a.conf": "1"})
    new = release_of(6, inputs={"compose.yaml": "2", "b.conf": "1"})
    assert [item[1:] for item in told(old, new)] == [
        ("a.conf", "is gone"),
        ("b.conf", "is new"),
        ("compose.yaml", "changed"),
    ]
