"""Secret files in memory: no disk, and values that a test can foresee."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from berthmaster.domain.errors import Bug, OutsideError
from berthmaster.domain.secret import Made, Recipe, SecretFile, SecretKind

_PEM = b"-----BEGIN TEST-----\n%s %d\n-----END TEST-----\n"


class FakeSecretFiles:
    """`ports.secretfiles.SecretFiles` whose files are a dictionary; tests read and change it."""

    def __init__(self) -> None:
        self.contents: dict[Path, bytes] = {}
        self.files: dict[Path, SecretFile] = {}
        self.made: list[Recipe] = []
        self.ends: datetime | None = datetime(2030, 1, 1, tzinfo=UTC)

    def look(self, path: Path) -> SecretFile | None:
        if path in self.files:
            return self.files[path]
        if any(path in one.parents for one in self.contents):
            return SecretFile(path.name, str(path), 0o700, 0, False, 0.0)
        return None

    def names(self, folder: Path) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self.contents if path.parent == folder))

    def read(self, path: Path) -> bytes:
        if path not in self.contents:
            raise OutsideError(f"{path}: No such file or directory", subject=str(path))
        return self.contents[path]

    def write(self, path: Path, content: bytes) -> None:
        old = self.files.get(path) or SecretFile(path.name, str(path), 0o600, 0, True, 0.0)
        self.files[path] = replace(old, size_bytes=len(content))
        self.contents[path] = content

    def remove(self, path: Path) -> None:
        self.contents.pop(path, None)
        self.files.pop(path, None)

    def remove_folder(self, folder: Path) -> None:
        for path in [one for one in self.contents if folder in one.parents]:
            self.remove(path)

    def owners(self, folder: Path) -> frozenset[int]:
        return frozenset({0})

    def make(self, recipe: Recipe) -> Made:
        self.made.append(recipe)
        count = len(self.made)
        match recipe.kind:
            case SecretKind.GIVEN:
                raise Bug(f"{recipe.name} can only be given by a person")
            case SecretKind.CERTIFICATE | SecretKind.KEYPAIR:
                return Made(_PEM % (b"first", count), _PEM % (b"second", count))
            case _:
                text = f"{count:04d}kB7vQ2mZ9xW4tR8nL3pJ6hF5dS1gA0cYeUoIaPsDfGhJkLzXcVbNm" * 9
                return Made(text[: recipe.length].encode())

    def ends_at(self, certificate: bytes) -> datetime | None:
        return self.ends if certificate.startswith(b"-----BEGIN ") else None
