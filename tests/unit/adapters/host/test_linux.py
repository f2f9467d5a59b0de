"""What is read of a machine, from files as its kernel writes them."""

import socket
from pathlib import Path

import pytest

from berthmaster.adapters.host import LinuxHost
from berthmaster.ports.host import Memory

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
LISTENS = "  0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 777 1"
TALKS = "  1: 0100007F:1F91 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000 0 0 778 1"
TRIE = """\
Local:
  +-- 0.0.0.0/0 3 0 5
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(f"{HEAD}\n{LISTENS}\n{TALKS}\n")
    (tmp_path / "net/tcp6").write_text(f"{HEAD}\n")
    (tmp_path / "net/fib_trie").write_text(TRIE)
    (tmp_path / "net/if_inet6").write_text(
        "20010db8000000000000000000000007 02 40 00 80     eth0\n"
    )
    (tmp_path / "meminfo").write_text("MemTotal:  2000 kB\nMemFree: 10 kB\nMemAvailable:  500 kB\n")
    return tmp_path


def process(proc: Path, *words: str) -> None:
    """A process that has the listening socket open."""
    folder = proc / "812/fd"
    folder.mkdir(parents=True)
    (folder / "3").symlink_to("socket:[777]")
    (proc / "812/cmdline").write_text("\0".join(words) + "\0")


def test_memory_is_what_the_kernel_calls_available(proc: Path) -> None:
    assert LinuxHost(proc).memory() == Memory(2000 * 1024, 500 * 1024)


def test_only_a_port_that_is_listened_on_is_taken(proc: Path) -> None:
    host = LinuxHost(proc)
    assert host.is_port_taken(8080)
    assert not host.is_port_taken(8081)


def test_the_owner_of_a_port_is_named_with_its_process(proc: Path) -> None:
    process(proc, "/usr/sbin/nginx", "-g", "daemon off;")
    assert LinuxHost(proc).port_owner(8080) == "nginx (pid 812)"


def test_dockers_proxy_is_named_with_the_address_it_stands_for(proc: Path) -> None:
    process(proc, "/usr/bin/docker-proxy", "-proto", "tcp", "-container-ip", "172.17.0.2")
    assert LinuxHost(proc).port_owner(8080) == "docker-proxy for 172.17.0.2"


def test_a_process_inside_a_container_is_named_with_the_containers_id(proc: Path) -> None:
    process(proc, "haproxy", "-W")
    (proc / "812/cgroup").write_text(f"0::/system.slice/docker-{'ab' * 32}.scope\n")
    assert LinuxHost(proc).port_owner(8080) == f"haproxy (pid 812) in container {'ab' * 32}"


def test_an_owner_that_nobody_may_see_is_nobody(proc: Path) -> None:
    assert LinuxHost(proc).port_owner(8080) == ""
    assert LinuxHost(proc).port_owner(8081) == ""


def test_the_machines_own_addresses_leave_loopback_out(proc: Path) -> None:
    assert LinuxHost(proc).addresses() == {"192.0.2.7", "2001:db8::7"}


def test_this_process_is_found_behind_its_own_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        owner = LinuxHost().port_owner(port)
    assert "(pid " in owner


def test_the_real_clock_is_asked_without_being_set() -> None:
    assert LinuxHost().is_clock_synchronised() in (True, False, None)


async def test_names_resolve_and_a_name_without_address_has_none() -> None:
    assert "127.0.0.1" in (await LinuxHost().resolve("localhost", timeout_seconds=5) or ())


async def test_a_name_that_cannot_be_asked_is_unknown_and_not_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    assert await LinuxHost().resolve("shop.test", timeout_seconds=5) is None

    def absent(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", absent)
    assert await LinuxHost().resolve("shop.test", timeout_seconds=5) == ()
