"""`berth gateway tunnel` and the checks between environments."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.cli.stages import BERTHFILE, Stages, model

from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.tunnel import Tunnel

ID = "6ff42ae2-765d-4adf-8112-31c55c1551ef"


@pytest.fixture
def tunnelled(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Stage and prod run; the tunnel's credentials are right and it is ready."""
    credentials = tmp_path / f"{ID}.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps({"TunnelID": ID, "TunnelSecret": "planted-tunnel-secret"}))
    tunnel = Tunnel(ID, str(credentials), str(tmp_path / "config.yml"), 20241)
    stages.shop.world.outside = replace(stages.shop.world.outside, tunnel=tunnel)
    _answer_ready(stages, monkeypatch)
    stages.good("deploy", "stage", "--tag", "v1")
    stages.good("promote", "stage", "prod")
    return stages


def _answer_ready(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    good = stages.shop.world.outside.prober.probe

    async def probe(asked: Probe) -> ProbeResult:
        if asked.port == 20241:
            return ProbeResult(200, is_good=True, seconds=0.0)
        return await good(asked)

    monkeypatch.setattr(stages.shop.world.outside.prober, "probe", probe)


def test_the_configuration_follows_the_routes(tunnelled: Stages, tmp_path: Path) -> None:
    first = tunnelled.berth("gateway", "tunnel")
    assert first.code == 3
    assert "berth gateway tunnel --write" in first.err
    tunnelled.good("gateway", "tunnel", "--write")
    text = (tmp_path / "config.yml").read_text()
    assert '"stage.cart.test"\n    service: http://127.0.0.1:8081' in text
    assert '"cart.test"\n    service: https://127.0.0.1:8443' in text
    assert tunnelled.good("gateway", "tunnel", "--json").json["problems"] == []


@pytest.mark.requirement("R356")
def test_a_tunnel_that_is_not_ready_fails_the_check(
    tunnelled: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnelled.good("gateway", "tunnel", "--write")
    monkeypatch.undo()
    (bad,) = check(tunnelled, "tunnel")
    assert bad["severity"] == "outside"
    assert "the tunnel is not ready: http://127.0.0.1:20241/ready" in bad["evidence"]


def test_loose_credentials_are_told_and_their_secret_is_not(
    tunnelled: Stages, tmp_path: Path
) -> None:
    (tmp_path / f"{ID}.json").chmod(0o644)
    answer = tunnelled.berth("gateway", "tunnel", "--write")
    assert "has mode 0644" in answer.err
    assert "planted" not in answer.out + answer.err


def test_without_a_tunnel_the_command_says_how_to_name_one(stages: Stages) -> None:
    assert "[tunnel] id" in stages.refused("gateway", "tunnel")
    assert check(stages, "tunnel") == []


@pytest.mark.requirement("R332")
def test_stage_that_is_not_like_prod_fails_the_check(stages: Stages) -> None:
    assert [item["severity"] for item in check(stages, "mirror")] == ["ok"]
    compose = stages.shop.world.outside.compose
    compose.models[("compose.yaml", "compose.stage.yaml")] = model(user="0")  # type: ignore[attr-defined]
    (bad,) = check(stages, "mirror")
    assert bad["severity"] == "change"
    assert "differs from prod in services.web.user" in bad["evidence"]
    assert "berth diff stage prod" in bad["remedy"]


def test_a_difference_that_is_meant_passes_the_check(stages: Stages) -> None:
    intended = "stage: {intended: [{what: services.web.user, why: a test}], compose:"
    stages.write("berth.yaml", BERTHFILE.replace("stage: {compose:", intended))
    assert [item["severity"] for item in check(stages, "mirror")] == ["ok", "note"]


def test_a_hold_and_a_freeze_fail_the_check(stages: Stages) -> None:
    assert [item["severity"] for item in check(stages, "permit")] == ["ok"]
    stages.good("deploy", "stage", "--tag", "v1")
    stages.good("hold", "stage", "--why", "an audit")
    stages.write(".deploy-freeze", "stage always closed\n")
    assert [item["evidence"] for item in check(stages, "permit")] == [
        "held: an audit",
        "frozen (.deploy-freeze:1): closed",
    ]


def check(stages: Stages, check_id: str) -> list[dict[str, str]]:
    report = stages.berth("check", "stage", "--tag", "v1", "--json").json["checks"][0]
    return [item for item in report["checks"] if item["id"] == check_id]
