"""What the files of secrets keep to: on the disk and in the twin."""

from pathlib import Path

import pytest

from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.domain.errors import Bug, OutsideError
from berthmaster.domain.secret import Recipe, SecretKind
from berthmaster.ports.secretfiles import SecretFiles
from berthmaster.testing.secretfiles import FakeSecretFiles

AWKWARD = b"a$b $${C} 'single' \"double\"\nsecond line\n\\n \xc3\xa9\n"


@pytest.fixture(params=["real", "twin"])
def files(request: pytest.FixtureRequest) -> SecretFiles:
    return FakeSecretFiles() if request.param == "twin" else DiskSecretFiles()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "prod" / "key"


@pytest.mark.parametrize("content", [b"", AWKWARD, bytes(range(256))])
def test_what_was_written_is_read_byte_for_byte(
    files: SecretFiles, path: Path, content: bytes
) -> None:
    files.write(path, content)

    assert files.read(path) == content


def test_a_new_file_is_for_its_owner_alone(files: SecretFiles, path: Path) -> None:
    files.write(path, AWKWARD)

    found = files.look(path)
    assert found
    assert (found.name, found.mode, found.is_plain) == ("key", 0o600, True)
    assert found.uid in files.owners(path.parents[2])
    folder = files.look(path.parent)
    assert folder
    assert folder.mode == 0o700


def test_names_are_those_of_the_folder(files: SecretFiles, path: Path) -> None:
    assert files.names(path.parent) == ()
    files.write(path, b"1")
    files.write(path.with_name("a"), b"2")

    assert files.names(path.parent) == ("a", "key")


def test_a_folder_goes_with_all_that_is_in_it(files: SecretFiles, path: Path) -> None:
    files.write(path, b"1")
    files.write(path.parent.with_name("stage") / "key", b"2")
    for _ in range(2):
        files.remove_folder(path.parent)

    assert files.look(path.parent) is None
    assert files.names(path.parent.with_name("stage")) == ("key",)


def test_what_is_not_there_is_nothing_to_look_at_and_cannot_be_read(
    files: SecretFiles, path: Path
) -> None:
    assert files.look(path) is None
    with pytest.raises(OutsideError, match="No such file"):
        files.read(path)
    files.remove(path)


@pytest.mark.parametrize(
    ("kind", "length"), [(SecretKind.PASSWORD, 32), (SecretKind.KEY, 64), (SecretKind.TOKEN, 40)]
)
def test_a_new_value_has_its_length_and_is_never_the_same(
    files: SecretFiles, kind: SecretKind, length: int
) -> None:
    values = {files.make(Recipe(kind, "x", length)).value for _ in range(20)}

    assert len(values) == 20
    assert {len(value) for value in values} == {length}
    assert all(value.isalnum() for value in values)


@pytest.mark.parametrize("kind", [SecretKind.CERTIFICATE, SecretKind.KEYPAIR])
def test_a_pair_has_two_halves(files: SecretFiles, kind: SecretKind) -> None:
    made = files.make(Recipe(kind, "x", hosts=("db",)))

    assert made.value.startswith(b"-----BEGIN ")
    assert made.partner
    assert made.partner.startswith(b"-----BEGIN ")


def test_nobody_makes_what_only_a_person_can_give(files: SecretFiles) -> None:
    with pytest.raises(Bug):
        files.make(Recipe(SecretKind.GIVEN, "x"))


def test_a_certificate_says_until_when_it_is_valid(files: SecretFiles) -> None:
    made = files.make(Recipe(SecretKind.CERTIFICATE, "x", hosts=("db",), days=30))

    assert files.ends_at(made.value) is not None
    assert files.ends_at(b"nonsense") is None
