"""`berth check` on a real server, and a deploy that listens to it."""

import json
from typing import Any

import pytest
from tests.scenario.dsl import App, MakeApp

pytestmark = pytest.mark.docker


async def answers(app: App, tag: str = "v1") -> tuple[int, dict[str, Any]]:
    """Exit code and the worst answer by id."""
    done = await app.berth("check", app.stack, "--tag", tag, "--json")
    (report,) = json.loads(done.out)["checks"]
    order = ("change", "outside", "unknown", "overridden", "note", "ok")
    found = sorted(report["checks"], key=lambda item: order.index(item["severity"]), reverse=True)
    return done.code, {item["id"]: item for item in found}


async def test_a_bad_setting_is_refused_before_anything_changes_and_an_override_is_recorded(
    app: MakeApp,
) -> None:
    shop = app("web").edit("compose.yaml", "      BROKEN", '      DEBUG: "1"\n      BROKEN')
    code, found = await answers(shop)
    assert code == 2
    assert [key for key, item in found.items() if item["severity"] == "change"] == ["debug"]
    refused = await shop.deploy("v1", code=2)
    assert "DEBUG is on [debug]" in refused.err
    assert await shop.world() == set()

    why = "{check: debug, why: until Monday}"
    shop.edit("berth.yaml", f"[{shop.host}]", f"[{shop.host}], policy: {{allow: [{why}]}}")
    await shop.deploy("v1")
    last = json.loads((await shop.done("show", "--json")).out)["deployments"]
    number = next(item["deployment"] for item in last if item["stack"] == shop.stack)
    assert "until Monday" in (await shop.done("show", number)).out


async def test_a_healthcheck_whose_program_is_not_in_the_image_is_found_before_it_fails(
    app: MakeApp,
) -> None:
    shop = app("web")
    await shop.deploy("v1")
    check = '    healthcheck: {test: [CMD, curl, "-f", "http://127.0.0.1:8000/health"]}\n'
    shop.edit("compose.yaml", "    environment:\n", f"{check}    environment:\n")
    code, found = await answers(shop)
    assert code == 2
    assert "curl" in found["healthcheck_tool"]["evidence"]
    good = ("gateway", "firewall", "certificate", "images", "architecture", "hosts", "lease")
    assert {found[key]["severity"] for key in good} == {"ok"}
