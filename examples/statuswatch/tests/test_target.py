import socket

import pytest

from monitors import target


def resolve_as(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.17.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_a_name_that_leads_inside_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_as(monkeypatch, "93.184.216.34", address)
    with pytest.raises(target.TargetRefused, match="private"):
        target.resolve(target.parse_url("http://innocent.example/"))


def test_a_public_name_gives_the_address_to_connect_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_as(monkeypatch, "93.184.216.34", "93.184.216.35")
    assert target.resolve(target.parse_url("https://example.com/")) == "93.184.216.34"


@pytest.mark.parametrize("allowed", ["web", "10.0.0.0/8"])
def test_a_private_target_may_be_allowed_by_name_or_network(
    allowed: str, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SSRF_ALLOWED_TARGETS = ["other", allowed]
    resolve_as(monkeypatch, "10.0.0.7")
    assert target.resolve(target.parse_url("http://web:8000/")) == "10.0.0.7"


def test_a_name_that_does_not_resolve_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(target.NameUnknown):
        target.resolve(target.parse_url("http://nowhere.example/"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://", "http://a:b@host/", "http://host:99999/", "http://["])
def test_a_url_that_cannot_be_checked_is_refused(url: str) -> None:
    with pytest.raises(target.TargetRefused):
        target.parse_url(url)
