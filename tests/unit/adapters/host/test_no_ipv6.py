"""A kernel without IPv6 has no /proc/net/tcp6."""

from pathlib import Path

from berthmaster.adapters.host import LinuxHost

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout\n"
)
LISTENS = "  0: 00000000:1F90 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n"


def test_ports_are_found_without_it(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(HEAD + LISTENS)
    host = LinuxHost(tmp_path)
    assert host.is_port_taken(8080)
    assert not host.is_port_taken(8081)
