"""Who answers a host and a path: the host's own route, then its suffix's, then everybody's."""

from dataclasses import replace

import pytest
from tests.builders import release

from berthmaster.domain.hosting import (
    answering,
    asked_hosts,
    attached,
    is_covered,
    named_hosts,
    prefixes_of,
    public_host,
    reachable,
    sharing,
)
from berthmaster.domain.release import ReleaseRoute, Upstream
from berthmaster.domain.routing import Backend, Prefix

ROUTES = (
    ReleaseRoute("/", "web"),
    ReleaseRoute("/", "api", hosts=("api.shop.test",)),
    ReleaseRoute("/v2", "new-api", hosts=("api.shop.test",)),
    ReleaseRoute("/admin", "admin", hosts=("*.shop.test",)),
    ReleaseRoute("/static", "files"),
)
HOSTS = ("shop.test", "*.shop.test")


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("shop.test", "/admin", "web"),
        ("api.shop.test", "/x", "api"),
        ("api.shop.test", "/v2/x", "new-api"),
        ("api.shop.test", "/v20", "api"),
        ("api.shop.test", "/static/x", "api"),
        ("api.shop.test", "/admin", "api"),
        ("tenant.shop.test", "/admin/", "admin"),
        ("tenant.shop.test", "/static/x", "files"),
        ("a.b.shop.test", "/admin", "web"),
    ],
)
def test_the_hosts_own_route_wins_then_the_longest_prefix(
    host: str, path: str, service: str
) -> None:
    found = answering(ROUTES, host, path)
    assert found is not None
    assert found.service == service


def test_a_path_that_nothing_answers_has_no_route() -> None:
    assert answering(ROUTES[1:2], "shop.test", "/") is None


def test_only_combinations_that_can_happen_are_reachable() -> None:
    def seen(host: str) -> list[str | None]:
        return [route.service for route in reachable(ROUTES, host)]

    assert seen("shop.test") == ["web", "files"]
    assert seen("api.shop.test") == ["api", "new-api"]
    assert seen("*.shop.test") == ["web", "admin", "files"]


def test_a_host_below_a_suffix_that_only_a_route_names_is_named_too() -> None:
    assert named_hosts(ROUTES, HOSTS) == (*HOSTS, "api.shop.test")
    assert named_hosts(ROUTES, ("other.test",)) == ("other.test",)


def test_only_exact_hosts_with_a_route_are_asked() -> None:
    found = release(routes=ROUTES[1:], hosts=HOSTS)
    assert asked_hosts(found) == ("shop.test", "api.shop.test")
    assert asked_hosts(replace(found, routes=ROUTES[1:4])) == ("api.shop.test",)


def test_a_route_is_asked_with_a_host_of_its_own() -> None:
    found = release(routes=ROUTES, hosts=HOSTS)
    assert public_host(found) == "shop.test"
    assert public_host(found, ROUTES[1]) == "api.shop.test"
    assert public_host(found, ROUTES[3]) == "shop.test"  # the apex stands for a suffix
    assert public_host(replace(found, hosts=())) == "localhost"


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("shop.test", True), ("a.shop.test", True), ("a.b.shop.test", False), ("*.test", False)],
)
def test_a_host_is_covered_by_itself_or_by_the_suffix_one_label_up(host: str, is_one: bool) -> None:
    assert is_covered(host, HOSTS) is is_one


def test_the_router_knows_a_route_once_for_each_of_its_hosts() -> None:
    route = ReleaseRoute("/v1", None, site="docs", hosts=("a.test", "b.test"))
    assert prefixes_of("shop-prod/r1", route, None) == (
        Prefix("shop-prod/r1", "/v1", site="docs", host="a.test"),
        Prefix("shop-prod/r1", "/v1", site="docs", host="b.test"),
    )


def test_routes_of_a_limited_service_share_a_slot_so_that_it_counts_once() -> None:
    web, api = (Upstream("web", "10.201.0.2", 8000),), (Upstream("api", "10.201.0.3", 80),)
    routes = (
        ReleaseRoute("/", "web", web, limit=8),
        ReleaseRoute("/v1", "api", api),
        ReleaseRoute("/v2", "api", api),
        ReleaseRoute("/x", "web", web, limit=8),
        ReleaseRoute("/site", None, site="site"),
    )
    assert [len(group) for group in sharing(routes)] == [2, 1, 1]
    backends, prefixes = attached(replace(release(1), routes=routes), (4, 5, 6))
    assert backends == [
        Backend(4, ("10.201.0.2:8000",), 8),
        Backend(5, ("10.201.0.3:80",)),
        Backend(6, ("10.201.0.3:80",)),
    ]
    assert [item.backend for item in prefixes] == [4, 5, 6, 4, None]
