"""Posts, comments and votes over the API."""

from collections.abc import Callable

from starlette.testclient import TestClient

Join = Callable[[str], dict[str, str]]


def write(guest: TestClient, headers: dict[str, str], title: str = "A title") -> int:
    answer = guest.post("/api/posts", json={"title": title, "body": "Some *text*"}, headers=headers)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def test_a_post_is_listed_with_its_author_and_counts(guest: TestClient, join: Join) -> None:
    post_id = write(guest, join("alice"))
    (post,) = guest.get("/api/posts").json()["items"]
    assert (post["id"], post["author"], post["score"], post["comments"], post["my_vote"]) == (post_id, "alice", 0, 0, 0)


def test_comments_stand_in_the_order_they_were_written(guest: TestClient, join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    post_id = write(guest, alice)
    for headers, text in ((bob, "first"), (alice, "second")):
        assert guest.post(f"/api/posts/{post_id}/comments", json={"body": text}, headers=headers).status_code == 201
    post = guest.get(f"/api/posts/{post_id}").json()
    assert [(c["author"], c["body"]) for c in post["thread"]] == [("bob", "first"), ("alice", "second")]
    assert post["comments"] == 2


def test_everybody_has_one_vote_and_may_change_it(guest: TestClient, join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    path = f"/api/posts/{write(guest, alice)}/vote"
    seen = []
    for headers, value in ((alice, 1), (alice, 1), (bob, 1), (bob, -1), (bob, 0)):
        answer = guest.put(path, json={"value": value}, headers=headers).json()
        seen.append((answer["score"], answer["my_vote"]))
    assert seen == [(1, 1), (1, 1), (2, 1), (0, -1), (1, 0)]
    assert guest.put(path, json={"value": 7}, headers=alice).status_code == 422


def test_the_best_liked_come_first_when_asked(guest: TestClient, join: Join) -> None:
    alice = join("alice")
    first, second = write(guest, alice, "first"), write(guest, alice, "second")
    guest.put(f"/api/posts/{first}/vote", json={"value": 1}, headers=alice)
    assert [p["id"] for p in guest.get("/api/posts?sort=top").json()["items"]] == [first, second]
    assert [p["id"] for p in guest.get("/api/posts").json()["items"]] == [second, first]


def test_pages_hold_every_post_once(guest: TestClient, join: Join) -> None:
    alice = join("alice")
    wanted = [write(guest, alice, f"number {n}") for n in range(5)][::-1]
    seen: list[int] = []
    before = ""
    while True:
        page = guest.get(f"/api/posts?limit=2{before}").json()
        seen += [post["id"] for post in page["items"]]
        if page["next_before"] is None:
            break
        before = f"&before={page['next_before']}"
    assert seen == wanted


def test_a_post_is_removed_by_its_author_only(guest: TestClient, join: Join) -> None:
    alice, bob = join("alice"), join("bob")
    path = f"/api/posts/{write(guest, alice)}"
    assert guest.delete(path, headers=bob).status_code == 403
    assert guest.delete(path, headers=alice).status_code == 204
    assert guest.delete(path, headers=alice).status_code == 404


def test_writing_needs_a_name_and_reading_does_not(guest: TestClient, join: Join) -> None:
    post_id = write(guest, join("alice"))
    assert guest.get(f"/api/posts/{post_id}").status_code == 200
    for method, path, body in (
        ("POST", "/api/posts", {"title": "A title"}),
        ("POST", f"/api/posts/{post_id}/comments", {"body": "x"}),
        ("PUT", f"/api/posts/{post_id}/vote", {"value": 1}),
        ("DELETE", f"/api/posts/{post_id}", None),
        ("POST", "/api/chat/ticket", None),
    ):
        assert guest.request(method, path, json=body).status_code == 401, path


def test_what_is_missing_or_too_long_is_refused(guest: TestClient, join: Join) -> None:
    alice = join("alice")
    assert guest.post("/api/posts", json={"title": "  x "}, headers=alice).status_code == 422
    assert guest.post("/api/posts", json={"title": "x" * 141}, headers=alice).status_code == 422
    assert guest.get("/api/posts/99").status_code == 404
    assert guest.post("/api/posts/99/comments", json={"body": "x"}, headers=alice).status_code == 404
