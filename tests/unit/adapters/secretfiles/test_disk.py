"""Secrets on a real disk: modes, links, and certificates that a TLS library takes."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.secret import Recipe, SecretKind

FILES = DiskSecretFiles()


def test_a_value_that_is_written_again_keeps_the_mode_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o400)
    FILES.write(path, b"new")

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o400)
    assert os.listdir(tmp_path) == ["key"]


def test_new_folders_are_closed_and_kept_out_of_the_repository(tmp_path: Path) -> None:
    FILES.write(tmp_path / "secrets" / "prod" / "key", b"x")

    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    FILES.write(tmp_path / "key", b"x")

    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / ".gitignore").exists()


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    target = tmp_path / "shadow"
    target.write_bytes(b"theirs")
    (tmp_path / "key").symlink_to(target)
    with pytest.raises(OutsideError):
        FILES.read(tmp_path / "key")
    with pytest.raises(OutsideError, match="plain file"):
        FILES.write(tmp_path / "key", b"mine")

    assert target.read_bytes() == b"theirs"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key")
    with pytest.raises(OutsideError, match="plain file"):
        FILES.read(tmp_path / "key")


def test_a_folder_that_cannot_be_made_is_an_outside_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="file/key"):
        FILES.write(tmp_path / "file" / "key", b"x")


def test_a_certificate_and_its_key_serve_tls_for_the_names_in_it(tmp_path: Path) -> None:
    made = FILES.make(Recipe(SecretKind.CERTIFICATE, "db_cert", hosts=("db", "10.0.0.7"), days=9))
    assert made.partner
    (tmp_path / "crt").write_bytes(made.value)
    (tmp_path / "key").write_bytes(made.partner)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "crt", tmp_path / "key")
    found = x509.load_pem_x509_certificate(made.value)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["db"]
    assert len(names.get_values_for_type(x509.IPAddress)) == 1
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 9
