"""The chat room over WebSockets, across two processes' worth of applications."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

Join = Callable[[str], dict[str, str]]


def enter(client: TestClient, headers: dict[str, str], **sent: str) -> WebSocketTestSession:
    ticket = client.post("/api/chat/ticket", headers=headers).json()["ticket"]
    return client.websocket_connect(f"/ws/chat?ticket={ticket}", headers=sent)


def test_what_one_says_everybody_hears_in_both_releases(
    start: Callable[..., TestClient], guest: TestClient, join: Join
) -> None:
    alice, bob = join("alice"), join("bob")
    other = start()  # another replica, or the release before
    with enter(guest, alice) as here, enter(other, bob) as there:
        here.send_json({"text": " hello "})
        heard = [here.receive_json(), there.receive_json()]
    assert [(message["author"], message["text"]) for message in heard] == [("alice", "hello")] * 2
    (kept,) = guest.get("/api/chat/messages").json()
    assert kept == heard[0]


def test_somebody_who_was_away_gets_what_was_missed(guest: TestClient, join: Join) -> None:
    with enter(guest, join("alice")) as room:
        for text in ("one", "two", "three"):
            room.send_json({"text": text})
            first = room.receive_json()["id"] if text == "one" else None
            after = first or after  # noqa: F821
            if first is None:
                room.receive_json()
    missed = guest.get(f"/api/chat/messages?after={after}").json()
    assert [message["text"] for message in missed] == ["two", "three"]


def test_a_ticket_opens_once(guest: TestClient, join: Join) -> None:
    ticket = guest.post("/api/chat/ticket", headers=join("alice")).json()["ticket"]
    with guest.websocket_connect(f"/ws/chat?ticket={ticket}"):
        pass
    for used in (ticket, "", "guessed"):
        with guest.websocket_connect(f"/ws/chat?ticket={used}") as room, pytest.raises(WebSocketDisconnect) as caught:
            room.receive_text()
        assert caught.value.code == 4401


def test_a_page_of_another_origin_is_sent_away(guest: TestClient, join: Join) -> None:
    alice = join("alice")
    with enter(guest, alice, origin="https://evil.example") as room, pytest.raises(WebSocketDisconnect) as caught:
        room.receive_text()
    assert caught.value.code == 4403
    with enter(guest, alice, origin="http://testserver") as room:
        room.send_json({"text": "hello"})
        assert room.receive_json()["text"] == "hello"


def test_an_empty_or_endless_message_is_answered_and_the_room_stays(guest: TestClient, join: Join) -> None:
    with enter(guest, join("alice")) as room:
        for text in ("   ", "x" * 501):
            room.send_json({"text": text})
            assert "error" in room.receive_json()
        room.send_text("no json")
        assert "error" in room.receive_json()
        room.send_json({"text": "still here"})
        assert room.receive_json()["text"] == "still here"
