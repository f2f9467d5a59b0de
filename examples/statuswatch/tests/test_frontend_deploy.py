"""The frontend beside the application: which paths are whose, and what goes into a release."""

import json
import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

EXAMPLE = Path(__file__).parents[1]
OF_THE_FRONTEND = {"sites", "routes", "smoke"}


def berth(name: str) -> dict[str, object]:
    return yaml.safe_load((EXAMPLE / name).read_text())


def paths_of_the_application() -> set[str]:
    """Return the first part of every path that Django answers, its start pages left out."""
    from app import urls, urls_public

    found: set[str] = set()
    for module in (urls, urls_public):
        for pattern in module.urlpatterns:
            text = str(pattern.pattern)
            inner = [text] if text else [str(entry.pattern) for entry in getattr(pattern, "url_patterns", [])]
            found |= {f"/{part.split('/')[0]}" for part in inner if part}
    return found


def test_production_is_the_same_with_and_without_the_frontend() -> None:
    whole, backend = berth("berth.yaml"), berth("berth.backend.yaml")
    assert set(whole) - set(backend) == {"sites", "domains", "rehearsal"}
    for key in backend.keys() - OF_THE_FRONTEND - {"services", "environments"}:
        assert backend[key] == whole[key]
    assert set(backend["environments"]) == {"prod"}
    for key in ("services", "environments"):
        assert backend[key].items() <= whole[key].items()
    assert set(whole["services"]) - set(backend["services"]) == {"stripe", "mail"}  # the trial's doubles


def test_the_gateway_may_ask_for_tenants_hosts() -> None:
    """It asks from 127.0.0.1; an application that does not listen to it leaves every tenant without a certificate."""
    assert berth("berth.yaml")["domains"]["validate"]
    found = re.search(r"^INTERNAL_NETWORKS=(.*)$", (EXAMPLE / ".env.example").read_text(), re.MULTILINE)
    assert found is not None
    assert any(ip_address("127.0.0.1") in ip_network(network) for network in found[1].split(",") if network)


def test_every_path_of_the_application_has_a_route_past_the_frontend() -> None:
    routed = {route["path"] for route in berth("berth.yaml")["routes"]}
    assert paths_of_the_application() - routed == set()
    assert {"/static", "/debug"} <= routed


def test_caddy_knows_the_same_paths() -> None:
    text = (EXAMPLE / "caddy" / "Caddyfile").read_text()
    excluded = set(re.search(r"not path (.*)", text)[1].split())  # type: ignore[index]
    refused = set(re.search(r"@internal path (.*)", text)[1].split())  # type: ignore[index]
    for path in paths_of_the_application():
        assert {path, f"{path}/*"} & (excluded | refused), path


@pytest.mark.parametrize("name", ["package-lock.json", "package.json", ".npmrc"])
def test_no_registry_is_named(name: str) -> None:
    text = (EXAMPLE / "frontend" / name).read_text()
    assert '"resolved"' not in text
    assert "registry=" not in text


def test_the_build_runs_on_the_node_of_debian_12() -> None:
    """Every package says that 18 is enough; the newest majors of many do not."""
    lock = json.loads((EXAMPLE / "frontend" / "package-lock.json").read_text())
    too_new = {
        name: wanted
        for name, package in lock["packages"].items()
        if isinstance(package.get("engines"), dict)
        and (wanted := package["engines"].get("node"))
        and not any(runs_on_18(part) for part in wanted.split("||"))
    }
    assert too_new == {}


def runs_on_18(wanted: str) -> bool:
    """Say whether one alternative of a range takes Node.js 18.20."""
    found = re.match(r"\s*(\^|~|>=|>)?\s*v?(\d+|\*)", wanted)
    if found is None or found[2] == "*":
        return True
    major = int(found[2])
    return major <= 18 if found[1] in {">=", ">"} else major == 18
