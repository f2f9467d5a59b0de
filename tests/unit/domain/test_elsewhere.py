"""What another machine asks for is taken apart before anything of it is used."""

import json
from typing import Any

import pytest

from berthmaster.domain.elsewhere import (
    Allowance,
    Request,
    SentFile,
    ServerEntry,
    Streams,
    authorized_line,
    check_versions,
    parse_public_key,
    parse_request,
    render_request,
)
from berthmaster.domain.errors import InvalidName, NotAllowed, UserError

DIGEST = "ab" * 32
FILE = SentFile("compose.yaml", 0o644, DIGEST, 12)


def sent(**changes: Any) -> bytes:
    """A good request with some of its keys replaced."""
    good = json.loads(render_request(Request("0.1.0", ("status",), "anna@laptop", (FILE,))))
    return json.dumps({**good, **changes}).encode()


def test_a_request_arrives_as_it_was_sent() -> None:
    request = Request(
        version="0.1.3",
        arguments=("deploy", "prod", "--tag", "v1"),
        actor="anna@laptop",
        files=(FILE, SentFile("site/now", link="../compose.yaml")),
        streams=Streams(stdout=True, columns=120, rows=40, is_input=True),
        variables={"TERM": "xterm-256color"},
        facts={"revision": "abc-dirty", "changed": ["compose.yaml"], "untracked": []},
        app="shop",
        brings_images=True,
    )
    assert parse_request(render_request(request)) == request


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/./b",
        "",
        ".",
        "a\nb",
        "a\\b",
        "a/\x00",
        7,
        None,
    ],
)
def test_a_path_that_could_leave_the_bundle_is_refused(path: object) -> None:
    for row in ([path, 0o644, DIGEST, 1], [path, "target"]):
        with pytest.raises(UserError):
            parse_request(sent(files=[row]))


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "a/../../../x", "", "a\nb"])
def test_a_link_that_leads_out_of_the_bundle_is_refused(target: str) -> None:
    with pytest.raises(UserError):
        parse_request(sent(files=[["folder-link", target]]))


def test_nothing_is_written_through_a_link_or_below_a_file() -> None:
    for first in (["a", "b"], ["a", 0o644, DIGEST, 1]):
        with pytest.raises(UserError, match="lies below"):
            parse_request(sent(files=[first, ["a/b", 0o644, DIGEST, 1]]))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": [["a", 0o4755, DIGEST, 1]]},
        {"files": [["a", 0o644, "../../x", 1]]},
        {"files": [["a", 0o644, DIGEST.upper(), 1]]},
        {"files": [["a", 0o644, DIGEST, -1]]},
        {"files": [["a", 0o644, DIGEST, 1 << 40]]},
        {"files": [["a", 0o644, DIGEST, 2 << 30], ["b", 0o644, DIGEST, 1]]},
        {"files": [["a", 0o644, DIGEST, 1], ["a", 0o644, DIGEST, 1]]},
        {"files": ["a"]},
        {"files": {"a": 1}},
        {"files": None},
        {"arguments": "status"},
        {"arguments": [1]},
        {"arguments": ["a\0b"]},
        {"arguments": ["x"] * 1001},
        {"arguments": ["x" * 40_000]},
        {"actor": ""},
        {"actor": "anna\nroot"},
        {"actor": "-x"},
        {"variables": {"LD_PRELOAD": "x"}},
        {"variables": {"TERM": "x\ny"}},
        {"variables": ["TERM"]},
        {"facts": {"other": 1}},
        {"facts": {"changed": [1]}},
        {"facts": {"revision": "a\nb"}},
        {"terminal": [True]},
        {"size": [80]},
        {"app": "../x"},
        {"version": None},
        {"protocol": "1"},
    ],
)
def test_what_is_of_no_known_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        parse_request(sent(**changes))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(UserError):
        parse_request(data)


def test_a_folder_is_named_by_its_files_and_not_by_their_order() -> None:
    other = SentFile("berth.yaml", 0o644, "cd" * 32, 3)
    one = Request("0.1.0", (), "a@b", (FILE, other))
    assert one.key == Request("0.1.0", ("x",), "c@d", (other, FILE)).key
    assert one.key != Request("0.1.0", (), "a@b", (FILE,)).key
    assert one.key != Request("0.1.0", (), "a@b", (FILE, other), facts={"revision": "a"}).key


@pytest.mark.parametrize("name", ["", "all", "local", "-x", "Web", "a b", "a..b", "x" * 64, "a\n"])
def test_a_server_has_a_strict_name(name: str) -> None:
    with pytest.raises(InvalidName):
        ServerEntry(name, "host")


@pytest.mark.parametrize(
    "address",
    ["", "-oProxyCommand=x", "a b", "a@-b", "x@y@z", "host:", "host:123456", "a;b", "$(x)"],
)
def test_an_address_is_one_word_that_is_no_option(address: str) -> None:
    with pytest.raises(InvalidName):
        ServerEntry("web1", address)


@pytest.mark.parametrize("address", ["web1", "deploy@203.0.113.7:2222", "root@[2001:db8::1]:22"])
def test_usual_addresses_are_fine(address: str) -> None:
    assert ServerEntry("web1", address).address == address


def test_versions_of_one_series_work_together() -> None:
    check_versions("0.1.0", 1, "0.1.9")


@pytest.mark.parametrize(
    ("ours", "protocol", "theirs", "remedy"),
    [
        ("0.1.0", 1, "0.2.0", "berth server upgrade SERVER"),
        ("0.3.0", 1, "0.2.0", "install berthmaster 0.3.0 here"),
        ("0.1.0", 2, "0.1.0", "berth server upgrade SERVER"),
        ("0.9.0", 1, "0.10.0", "berth server upgrade SERVER"),
    ],
)
def test_another_version_is_refused_with_the_remedy(
    ours: str, protocol: int, theirs: str, remedy: str
) -> None:
    with pytest.raises(UserError, match="nothing was done") as caught:
        check_versions(ours, protocol, theirs)
    assert caught.value.next_command == remedy


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc2U2NCBvZiB0aGlydHktdHdvIGJ5dGVzISEh"


def test_a_key_gets_one_forced_command_and_nothing_else() -> None:
    key = parse_public_key(f"{ED25519} anna@laptop\n")
    limits = Allowance("ci", frozenset({"status", "deploy", "gateway show"}), frozenset({"stage"}))
    assert authorized_line(key, limits, "/usr/local/bin/berth") == (
        'command="/usr/local/bin/berth serve-request --key ci --only deploy,gateway+show,status'
        f' --env stage",restrict {ED25519} ci'
    )


@pytest.mark.parametrize(
    "text",
    [
        f'command="sh" {ED25519}',
        f"restrict {ED25519}",
        f"{ED25519}\n{ED25519}",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        ED25519[:40],
        "ssh-ed25519 " + "A" * 60,
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "",
    ],
)
def test_what_is_no_public_key_alone_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_public_key(text)


@pytest.mark.parametrize("name", ["", "CI", 'x"', "a b", "-x", "a" * 33, "a\n"])
def test_the_name_of_a_key_cannot_end_its_quotes(name: str) -> None:
    with pytest.raises(InvalidName):
        authorized_line(ED25519, Allowance(name), "berth")


def test_a_key_for_every_command_may_not_let_others_in() -> None:
    Allowance().check_command("server authorize")
    Allowance("ci").check_command("deploy")
    Allowance("admin", frozenset({"server authorize"})).check_command("server authorize")
    for key in (Allowance("ci"), Allowance("ci", frozenset({"server"}))):
        with pytest.raises(NotAllowed):
            key.check_command("server authorize")


def test_a_key_may_do_what_it_was_given_and_no_more() -> None:
    key = Allowance("ci", frozenset({"deploy", "gateway show"}), frozenset({"stage"}))
    key.check_command("deploy")
    key.check_command("gateway show")
    key.check_environment("stage")
    for refused in ("rollback", "gateway", "gateway down", "server prepare"):
        with pytest.raises(NotAllowed):
            key.check_command(refused)
    with pytest.raises(NotAllowed):
        key.check_environment("prod")
