"""Files that a command for another server names: sent along, or said to be there."""

import json
import os
import subprocess

import pytest
from tests.unit.cli.test_elsewhere import APP, BERTH, COMPOSE, Desk, desk

__all__ = ["desk"]  # the fixture

TENANCY = APP + "tenancy: {mode: silo, domain: clients.test}\n"


def written(desk: Desk, name: str, text: str) -> str:
    path = desk.root / name
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_a_list_of_tenants_goes_along(desk: Desk) -> None:
    desk.write("berth.yaml", TENANCY)
    rows = written(desk, "clients.csv", "name,resources\nBad Name,\nadmin,\n")
    for words in (("--from", rows), (f"--from={desk.root}/./clients.csv",)):
        done = desk.berth("-S", "web1", "tenant", "add", "prod", *words, "--tag", "v1")
        assert (done.code, "clients.csv:2: " in done.err) == (2, True), done.err
        assert "no tenant was added" in done.err
    assert any(path.endswith("clients.csv") for path in desk.sent())


def test_a_certificate_goes_along_and_nobody_else_can_read_its_key(desk: Desk) -> None:
    files = [written(desk, name, "no certificate") for name in ("shop.crt", "shop.key")]
    done = desk.berth("-S", "web1", "cert", "import", *files)
    assert (done.code, "does not exist" in done.err) == (2, False), done.err
    both = desk.berth("-S", "web1,web2", "cert", "import", *files)
    assert (both.code > 0, "does not exist" in both.err) == (True, False), both.err
    (key,) = desk.state.glob("sent/trees/*/app/.berth-sent/1/shop.key")
    assert key.stat().st_mode & 0o777 == 0o600


def test_an_exported_tenant_and_an_escrow_code_go_along(desk: Desk) -> None:
    parcel = written(desk, "acme.tar.gz", "no archive")
    done = desk.berth("-S", "web1", "tenant", "import", parcel)
    assert (done.code, "acme.tar.gz is no exported tenant" in done.err) == (2, True), done.err
    code = written(desk, "code", "WRONG")
    words = ("server", "restore", "--from", "/nowhere/backups", "--code-file", code)
    done = desk.berth("-S", "web1", *words)
    assert (done.code, "there is no backup in /nowhere/backups" in done.err) == (3, True), done.err


def test_a_pipe_is_no_file_that_can_be_sent(desk: Desk) -> None:
    os.mkfifo(desk.root / "pipe")
    refused = desk.berth("-S", "web1", "tenant", "import", str(desk.root / "pipe"))
    assert (refused.code, "no plain file" in refused.err, desk.asked) == (2, True, [])


def test_an_escrow_code_may_be_piped(desk: Desk) -> None:
    words = ("-S", "web1", "server", "restore", "--from", "/nowhere/backups")
    done = subprocess.run(
        [BERTH, *words], input="WRONG\n", capture_output=True, text=True, check=False
    )
    assert (done.returncode, "there is no backup in" in done.stderr) == (3, True), done.stderr


def test_a_file_that_is_not_here_is_said_here(desk: Desk) -> None:
    done = desk.berth("-S", "web1", "tenant", "add", "prod", "--from", "nothing.csv")
    assert (done.code, "does not exist" in done.err, desk.asked) == (2, True, [])


@pytest.mark.parametrize(
    "words",
    [
        ("tenant", "export", "shop@prod/acme", "acme.tar.gz"),
        ("server", "restore-store", "--from", "store.db"),
    ],
)
def test_a_file_of_the_server_wants_its_whole_path(desk: Desk, words: tuple[str, ...]) -> None:
    refused = desk.berth("-S", "web1", *words)
    assert (refused.code, "write its whole path there" in refused.err) == (2, True), refused.err
    assert desk.asked == []
    there = (*words[:-1], f"/nowhere/{words[-1]}")
    said = desk.berth("-S", "web1", *there).err
    assert "no tenant shop@prod/acme" in said or "'/nowhere/store.db' does not exist" in said


@pytest.mark.parametrize(
    "words",
    [
        ("tenant", "list", "prod"),
        ("domain", "list", "prod"),
        ("status",),
    ],
)
def test_what_is_only_looked_at_comes_back(desk: Desk, words: tuple[str, ...]) -> None:
    desk.write("berth.yaml", TENANCY)
    done = desk.berth("-S", "web1", *words, "--json")
    assert done.code == 0, done.err
    assert isinstance(json.loads(done.out), dict | list)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rollout", "prod", "--tag", "v2"], "is for stage only, not for prod"),
        (["rollout", "stage", "--tag", "v2"], "loosens the policy of stage"),
        (["tenant", "add", "stage/acme", "--tag", "v1"], "loosens the policy of stage"),
        (["exec", "shop@prod", "web", "--", "x@stage"], "name one environment"),
    ],
)
def test_a_limited_key_rolls_out_where_it_may(desk: Desk, words: list[str], said: str) -> None:
    loose = TENANCY.replace("[stage.shop.test]", "[x.test], policy: {strict: false}")
    desk.write("berth.yaml", loose)
    desk.write("compose.yaml", COMPOSE)
    limits = "--key ci --only rollout,tenant,exec --env stage"
    desk.write_ssh(f"{desk.far} exec {BERTH} serve-request {limits}")
    refused = desk.berth("-S", "web1", *words)
    assert (refused.code, said in refused.err) == (2, True), refused.err
