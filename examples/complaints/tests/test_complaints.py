"""The life of a complaint, its history, and the figures."""

import csv
import io
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from conftest import Browser

from cms.complaints.lifecycle import TRANSITIONS, Event, Status, sources, target
from cms.core.roles import Role

COMPLAINT = {"title": "Charged twice", "body": "In October.", "category": "billing", "account": "ACC-1042"}


def file(browser: Browser, **changed: str) -> dict[str, Any]:
    answer = browser.post("/complaints", json={**COMPLAINT, **changed})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_filed_assigned_resolved_reopened_with_history(consumer: Browser, become: Callable[..., Browser]) -> None:
    desk, support = become(Role.HELP_DESK_AGENT), become(Role.SUPPORT_PERSON, "sara")
    path = f"/complaints/{file(consumer)['id']}"
    (sara,) = desk.get("/complaints/assignees").json()
    assert desk.post(f"{path}/assign", json={"assignee": sara["id"]}).json()["assigned_to_name"] == "sara"
    assert support.post(f"{path}/resolve", json={"note": "Paid back."}).json()["resolved_at"] is not None
    assert consumer.post(f"{path}/reopen", json={"note": "No, it was not."}).json()["status"] == "reopened"
    assert consumer.post(f"{path}/notes", json={"note": "I am waiting."}).status_code == 201
    found = consumer.get(path).json()
    assert found["resolved_at"] is None
    assert [(one["event"], one["actor"], one["note"]) for one in found["history"]] == [
        ("filed", "consumer", ""),
        ("assigned", "help_desk_agent", "To sara."),
        ("resolved", "sara", "Paid back."),
        ("reopened", "consumer", "No, it was not."),
        ("noted", "consumer", "I am waiting."),
    ]


@pytest.mark.parametrize(("status", "event"), list(product(Status, [Event.ASSIGNED, Event.RESOLVED, Event.REOPENED])))
def test_only_what_the_table_allows_can_happen(manager: Browser, sql: Any, status: Status, event: Event) -> None:
    sql("INSERT INTO complaints (title, body, category, status, filed_by) VALUES ('It', 'is', 'other', %s, 1)", status)
    verb = {Event.ASSIGNED: "assign", Event.RESOLVED: "resolve", Event.REOPENED: "reopen"}[event]
    answer = manager.post(f"/complaints/1/{verb}", json={"note": "Now.", "assignee": 1})
    new = TRANSITIONS.get((status, event))
    assert answer.status_code == (200 if new else 409)
    assert sql("SELECT status FROM complaints") == [(new or status,)]
    assert sql("SELECT count(*) FROM complaint_events") == [(1 if new else 0,)]


def test_the_table_of_states_has_no_dead_end() -> None:
    assert {state for state, _ in TRANSITIONS} == set(Status)
    assert {target(event) for event in Event if sources(event)} == set(Status) - {Status.FILED}


def test_a_consumer_sees_their_own_and_nobody_elses(consumer: Browser, become: Callable[..., Browser]) -> None:
    stranger = become(Role.CONSUMER, "stranger")
    made = file(consumer)
    assert stranger.get("/complaints").json()["items"] == []
    for answer in (
        stranger.get(f"/complaints/{made['id']}"),
        stranger.post(f"/complaints/{made['id']}/notes", json={"note": "x"}),
        stranger.post(f"/complaints/{made['id']}/reopen", json={"note": "x"}),
    ):
        assert answer.status_code == 404
    assert [one["id"] for one in consumer.get("/complaints").json()["items"]] == [made["id"]]


def test_a_support_person_resolves_only_what_they_have(consumer: Browser, become: Callable[..., Browser]) -> None:
    boss, sara = become(Role.MANAGER), become(Role.SUPPORT_PERSON, "sara")
    path = f"/complaints/{file(consumer)['id']}"
    assert boss.post(f"{path}/assign", json={"assignee": 2}).status_code == 200  # to the manager
    assert sara.post(f"{path}/resolve", json={"note": "Done."}).status_code == 403
    assert boss.post(f"{path}/assign", json={"assignee": 1}).status_code == 422  # a consumer resolves nothing
    assert boss.post(f"{path}/resolve", json={"note": "Done."}).status_code == 200


def test_the_account_can_be_corrected(consumer: Browser, manager: Browser) -> None:
    path = f"/complaints/{file(consumer, account='see letter')['id']}"
    assert manager.put(f"{path}/account", json={"account": "ACC-7"}).json()["account"] == "ACC-7"
    assert consumer.put(f"{path}/account", json={"account": "1"}).status_code == 403


def test_a_list_comes_in_pages_and_by_state(manager: Browser, sql: Any) -> None:
    sql(
        "INSERT INTO complaints (title, body, category, status, filed_by)"
        " SELECT 'It', 'is', 'other', CASE WHEN n = 1 THEN 'resolved' ELSE 'filed' END, 1 FROM generate_series(1, 60) n"
    )
    first = manager.get("/complaints").json()
    rest = manager.get("/complaints", params={"before": first["next"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == list(range(60, 0, -1))
    assert rest["next"] is None
    assert [one["id"] for one in manager.get("/complaints?status=resolved").json()["items"]] == [1]
    assert manager.get("/complaints?status=lost").status_code == 422


@pytest.mark.parametrize("changed", [{"title": "  "}, {"body": ""}, {"category": "rude"}, {"account": "x" * 41}])
def test_what_is_no_complaint_is_refused(consumer: Browser, changed: dict[str, str]) -> None:
    assert consumer.post("/complaints", json={**COMPLAINT, **changed}).status_code == 422
    assert consumer.get("/complaints").json()["items"] == []


def test_the_figures_add_up(consumer: Browser, manager: Browser) -> None:
    assert manager.get("/reporting/summary").json()["hours_to_resolve"] is None
    first, _ = file(consumer), file(consumer, category="service")
    path = f"/complaints/{first['id']}"
    manager.post(f"{path}/assign", json={"assignee": 2})
    manager.post(f"{path}/resolve", json={"note": "Done."})
    found = manager.get("/reporting/summary").json()
    assert (found["total"], found["open"], found["reopened"]) == (2, 1, 0)
    assert found["hours_to_resolve"] < 0.1
    assert found["by_status"] == [{"name": "filed", "count": 1, "open": 1}, {"name": "resolved", "count": 1, "open": 0}]
    assert {one["name"]: one["open"] for one in found["by_assignee"]} == {"nobody": 1, "manager": 0}


def test_a_spreadsheet_gets_no_formula(consumer: Browser, manager: Browser, sql: Any) -> None:
    file(consumer)
    manager.post("/complaints/1/assign", json={"assignee": 2})
    sql("UPDATE users SET name = '=1+1' WHERE role = 'manager'")
    answer = manager.get("/reporting/complaints.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["status"], row["assignee"], row["reopenings"]) == ("assigned", "'=1+1", "0")
