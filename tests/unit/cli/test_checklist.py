"""A checklist says what was asked and what came of it, and nothing passes unasked."""

import pytest
from tests.unit.cli.rehearsals import Rehearsals

from berthmaster.testing.behaviour import Behaviour
from berthmaster.testing.runtime import FakeRuntime

SQL = "SELECT domain, is_primary FROM tenants_domain"
GOOD = f"""\
checklist: Before the cutover
items:
  - {{id: answers, text: The health page answers., http: {{path: /health/}}}}
  - id: checked
    text: The settings are those of production.
    command: {{command: [python, manage.py, check], service: worker, contains: no issues}}
  - {{id: one-primary, text: One name each., query: {{service: db, sql: "{SQL}", count: 2}}}}
  - id: canonical
    text: Only names of production.
    query: {{service: db, sql: "{SQL}", matches: "[.]watch[.]test[|]"}}
  - id: mail
    text: Mail has a server.
    setting: {{service: web, name: EMAIL_HOST, matches: "^smtp"}}
    outside: whether it takes mail
  - {{id: all-run, text: All run., running: [web, worker, beat, db, redis]}}
  - {{id: dns, text: The wildcard record is there., outside: DNS of the real zone}}
  - {{id: looked, text: Somebody looked., manual: open the dashboard}}
"""


@pytest.fixture
def watch(rehearsals: Rehearsals, monkeypatch: pytest.MonkeyPatch) -> Rehearsals:
    """Production, as the list wants it."""
    monkeypatch.chdir(rehearsals.shop.folder)
    rows = (("acme.watch.test", "true"), ("watch.test.watch.test", "true"))
    rehearsals.databases.answers[SQL] = rows
    runtime = rehearsals.shop.world.outside.runtime
    assert isinstance(runtime, FakeRuntime)
    runtime.programs["python"] = lambda *_: (0, b"System check: no issues")
    rehearsals.write("list.yaml", GOOD)
    return rehearsals


def verdicts(watch: Rehearsals, *more: str, code: int = 0) -> dict[str, tuple[str, str]]:
    answer = watch.berth("verify", "prod", "--checklist", "list.yaml", "--json", *more)
    assert answer.code == code, answer.out + answer.err
    return {item["id"]: (item["verdict"], item["evidence"]) for item in answer.json["items"]}


def test_each_item_has_a_verdict_and_evidence(watch: Rehearsals) -> None:
    found = verdicts(watch)
    assert found["answers"][0] == "ok"
    assert "GET watch.test/health/ answered 200" in found["answers"][1]
    assert found["checked"] == ("ok", "in watch-prod-r1-worker-1: System check: no issues")
    assert found["one-primary"][1].startswith("2 rows: acme.watch.test|true")
    assert found["canonical"][0] == "ok"
    assert found["all-run"][0] == "ok"
    assert "watch-prod-db-1 runs" in found["all-run"][1]


def test_what_needs_the_outside_world_is_never_said_to_hold(watch: Rehearsals) -> None:
    found = verdicts(watch)
    assert found["dns"] == ("skipped", "not here: DNS of the real zone")
    assert found["looked"] == ("skipped", "needs a person: open the dashboard")
    assert found["mail"][0] == "partly"
    assert found["mail"][1] == (
        "EMAIL_HOST of web is set, 9 characters; not asked: whether it takes mail"
    )
    text = watch.good("verify", "prod", "--checklist", "list.yaml").out
    assert "5 hold, 1 in part, 0 failed, 2 not asked here" in text
    verdicts(watch, "--strict", code=1)


def test_what_does_not_hold_is_shown_and_ends_with_1(watch: Rehearsals) -> None:
    watch.databases.answers[SQL] = (("acme.staging.watch.example", "true"),)
    watch.shop.world.engine.script("registry.test/watch:v1", Behaviour(status=503))
    asyncio_stop(watch, "watch-prod-redis-1")
    found = verdicts(watch, code=1)
    assert found["answers"][0] == "failed"
    assert "2 rows were wanted" in found["one-primary"][1]
    assert "acme.staging.watch.example|true does not match" in found["canonical"][1]
    assert "watch-prod-redis-1 does not run" in found["all-run"][1]


def asyncio_stop(watch: Rehearsals, name: str) -> None:
    watch.shop.world.engine.containers[name].end(0, watch.shop.world.outside.clock.now())


def test_a_secret_is_looked_at_and_not_shown(watch: Rehearsals) -> None:
    item = "setting: {service: web, name: STRIPE_SECRET_KEY, matches: ^sk_live_, length: 20}"
    watch.write("list.yaml", f"checklist: x\nitems:\n  - {{id: key, text: Live., {item}}}\n")
    answer = watch.good("verify", "prod", "--checklist", "list.yaml", "--report", "r.md")
    report = (watch.shop.folder / "r.md").read_text()
    assert "STRIPE_SECRET_KEY of web is set, 28 characters" in answer.out
    assert "| ok | key | Live. |" in report
    assert "sk_live_9" not in answer.out + report
    watch.write("list.yaml", (watch.shop.folder / "list.yaml").read_text().replace("live", "test"))
    assert "does not match ^sk_test_" in verdicts(watch, code=1)["key"][1]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("{id: a, text: b}", "list.yaml:3: write how to ask it"),
        ("{id: a, text: b, http: {path: /}, running: [web]}", "one way to ask it"),
        ("{id: a, text: b, http: {command: x, service: web}}", "`http` wants a `path`"),
        ("{id: a, text: b, query: {service: db, sql: SELECT 1}}", "write what is wanted"),
        ('{id: a, text: b, query: {service: db, sql: SELECT 1, matches: "("}}', "is no pattern"),
        ("{id: a, text: b, how: http}", "unknown key `how`"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(watch: Rehearsals, item: str, said: str) -> None:
    watch.write("list.yaml", f"checklist: x\nitems:\n  - {item}\n")
    assert said in watch.refused("verify", "prod", "--checklist", "list.yaml")


def test_an_item_about_what_is_not_there_fails(watch: Rehearsals) -> None:
    items = """\
  - {id: service, text: x, running: [nobody]}
  - {id: writes, text: x, query: {service: db, sql: DELETE FROM x, count: 0}}
  - {id: unset, text: x, setting: {service: web, name: NOTHING}}
"""
    watch.write("list.yaml", f"checklist: x\nitems:\n{items}")
    found = verdicts(watch, code=1)
    assert "runs no service nobody" in found["service"][1]
    assert found["writes"][0] == "failed"
    assert found["unset"] == ("failed", "NOTHING of web is not set")
    watch.refused("verify", "prod", "--strict")
