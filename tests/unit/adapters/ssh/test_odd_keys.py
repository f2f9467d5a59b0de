"""An `authorized_keys` that people edited by hand, and with other encodings."""

from pathlib import Path

from berthmaster.adapters.ssh.authorized import authorize

LINE = 'restrict,command="berth serve-request --key ci" ssh-ed25519 AAAA ci'


def test_a_comment_in_another_encoding_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "authorized_keys"
    before = "ssh-ed25519 BBBB Jörg\n".encode("latin-1")
    path.write_bytes(before)
    assert authorize(path, LINE, "AAAA")
    assert path.read_bytes() == before + f"{LINE}\n".encode()
