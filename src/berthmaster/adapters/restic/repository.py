"""`ports.backups.Backups` over the `restic` program.

Encryption, deduplication, the file format and the way to each storage are restic's. What is ours is
in tags: what a copy is, which images it needs, where its manifest lies. A repository opens with the
escrow code, which lies beside the store (0600) so that a timer can write without a person.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.restic import errors
from berthmaster.adapters.restic.process import Ended, Restic
from berthmaster.adapters.restic.target import Target
from berthmaster.domain.backup import Copy, CopyKind, Saved

# Letters that are not mistaken for another one when they are read from paper; 8 x 5 of them are
# 200 bits.
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS: Final = 8
_STREAM_NAME: Final = "image.tar"
_INCOMPLETE: Final = 3  # exit code: a copy was made, but a file of it could not be read
_TRIES: Final = 2  # a file may vanish while it is read
_LOCKED: Final = "repository is already locked"  # exit code 1, as of every other failure
_LOCK_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 1.0


class ResticBackups:
    """Copies at one target; `folder` holds code and cache, `variables` are the storage's login."""

    def __init__(
        self,
        target: Target,
        folder: Path,
        *,
        variables: Mapping[str, str] | None = None,
        program: str = "restic",
    ) -> None:
        self._target = target
        self._folder = folder
        self._variables = variables
        self._program = program
        self._code = ""

    @property
    def code_path(self) -> Path:
        """Where the code lies."""
        return self._folder / "code"

    @property
    def _untold(self) -> Path:
        return self._folder / "code.untold"

    async def prepare(self) -> str | None:
        """Make code and repository where there are none."""
        self._code = self._read_code()
        is_new = not self._code
        if is_new:
            self._code = new_code()
        try:
            await self._call("opening", "cat", "config")
        except errors.NoRepository:
            await self._call("making a repository", "init")
        if is_new:
            self._note_untold()
            self.keep_code()
        with suppress(errors.BackupFailed):
            await self._call("unlocking", "unlock")  # locks of programs that were killed
        return self._code if self._untold.exists() else None

    def _note_untold(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._untold.touch(mode=0o600)
        except OSError as error:
            raise errors.BackupFailed(
                f"{self._folder} cannot be written: {error.strerror}", subject="backup code"
            ) from error

    def code_was_told(self) -> None:
        """Forget that nobody knows it."""
        self._untold.unlink(missing_ok=True)

    def use(self, code: str) -> None:
        """Open with this code."""
        self._code = code.strip().upper()

    def keep_code(self) -> None:
        """Write the code down, mode 0600."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self.code_path.with_name(".code.part")
            part.unlink(missing_ok=True)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(f"{self._code}\n")
                file.flush()
                os.fsync(handle)
            part.replace(self.code_path)
        except OSError as error:
            raise errors.BackupFailed(
                f"{self.code_path} cannot be written: {error.strerror}", subject="backup code"
            ) from error

    async def copies(self) -> tuple[Copy, ...]:
        """Every copy of ours."""
        ended = await self._call("listing", "snapshots", "--json")
        try:
            rows = json.loads(ended.output or b"[]") or ()
        except ValueError as error:
            said = ended.output[-200:].decode(errors="replace")
            raise errors.failed("listing", self._target.text, said) from error
        found = (_copy(row) for row in rows)
        return tuple(sorted((item for item in found if item), key=lambda item: item.taken_at))

    async def save(self, copy: Copy, paths: Sequence[Path], excluded: Sequence[Path]) -> Saved:
        """Save; a copy in which a file is missing is taken away again."""
        if gone := _missing(paths):  # restic would leave it out and say nothing
            raise errors.failed("saving", self._target.text, f"{gone[0]} is not there")
        words = ["backup", "--json", "--quiet", *_tags(copy)]
        words += [word for path in excluded for word in ("--exclude", _literal(path))]
        words += ["--", *map(str, paths)]
        for left in reversed(range(_TRIES)):
            ended = await self._restic().run(*words)
            if ended.code == 0:
                return _saved(ended)
            if ended.code == _INCOMPLETE:
                await self.forget([_saved(ended).id])
            if ended.code != _INCOMPLETE or not left:
                break
        raise errors.failed("saving", self._target.text, _unread(ended) or ended.errors)

    async def save_stream(self, copy: Copy, chunks: AsyncIterator[bytes]) -> Saved:
        """Save what comes; a stream that breaks leaves nothing."""
        words = ("backup", "--json", "--quiet", *_tags(copy), "--stdin")
        ended = await self._restic().run(*words, "--stdin-filename", _STREAM_NAME, chunks=chunks)
        if ended.code != 0:
            raise errors.failed("saving an image", self._target.text, ended.errors)
        return _saved(ended)

    async def read(self, copy_id: str, path: str) -> bytes:
        """One small file."""
        return (await self._call("reading", "dump", copy_id, path)).output

    async def extract(self, copy_id: str, source: str, into: Path) -> None:
        """Restore beside the place, then move in: what restic could not read never gets there."""
        try:
            part = _beside(into)
        except OSError as error:
            raise errors.failed("restoring", str(into), str(error)) from error
        try:
            words = ("--target", str(part), "--include", _literal(Path(source)), "--verify")
            await self._call(f"restoring {source}", "restore", copy_id, *words)
            _move_in(part / source.lstrip("/"), into)
        except OSError as error:
            raise errors.failed("restoring", str(into), str(error)) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def stream(self, copy_id: str) -> AsyncIterator[bytes]:
        """What `save_stream` saved."""
        return self._restic().stream("dump", copy_id, f"/{_STREAM_NAME}")

    async def check(self) -> tuple[str, ...]:
        """Read all of the repository."""
        ended = await self._restic().run("check", "--read-data")
        if ended.code == 0:
            return ()
        said = ended.errors
        damaged = errors.damaged_files(said)
        if "Fatal: repository contains errors" not in said and not damaged:
            raise errors.failed("checking", self._target.text, said)
        return damaged or (said.strip()[-500:],)

    async def forget(self, copy_ids: Sequence[str]) -> None:
        """Remove copies and what only they needed."""
        if not copy_ids:
            return
        end = asyncio.get_running_loop().time() + _LOCK_SECONDS
        while True:
            ended = await self._restic().run("forget", "--prune", *copy_ids)
            # NOTE: a backup that is killed leaves a restic behind, which ends what it was at.
            is_late = asyncio.get_running_loop().time() > end
            if ended.code == 0 or _LOCKED not in ended.errors or is_late:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._call("unlocking", "unlock")
        if ended.code != 0:
            raise errors.failed("forgetting", self._target.text, ended.errors)

    async def _call(self, what: str, *words: str) -> Ended:
        ended = await self._restic().run(*words)
        if ended.code != 0:
            raise errors.failed(what, self._target.text, ended.errors)
        return ended

    def _restic(self) -> Restic:
        code = self._code or self._read_code()
        if not code:
            raise errors.WrongCode(
                f"there is no escrow code in {self.code_path}",
                subject="backup code",
                next_command="berth server backup --to TARGET, which makes one",
            )
        return Restic(
            self._target.repository,
            code,
            self._folder / "cache",
            self._target.options,
            self._variables,
            self._program,
        )

    def _read_code(self) -> str:
        try:
            return self.code_path.read_text().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise errors.BackupFailed(
                f"{self.code_path} cannot be read: {error.strerror}", subject="backup code"
            ) from error


def new_code() -> str:
    """An escrow code: what opens every backup when the server is gone."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(_GROUPS))
    return "-".join(groups)


def _tags(copy: Copy) -> list[str]:
    tags = [f"kind={copy.kind}", *(f"image={item}" for item in copy.images)]
    if copy.folder:
        tags.append(f"folder={copy.folder}")
    return [word for tag in ("berthmaster", *tags) for word in ("--tag", tag)]


def _copy(row: Mapping[str, Any]) -> Copy | None:
    tags = [str(tag) for tag in row.get("tags") or ()]
    values = [tag.partition("=") for tag in tags]
    kind = next((value for name, _, value in values if name == "kind"), "")
    if "berthmaster" not in tags or kind not in list(CopyKind):  # a later version has others
        return None
    return Copy(
        str(row["short_id"]),
        CopyKind(kind),
        datetime.fromisoformat(re.sub(r"\.\d+", "", str(row["time"]))).astimezone(UTC),
        tuple(value for name, _, value in values if name == "image"),
        next((value for name, _, value in values if name == "folder"), ""),
    )


def _saved(ended: Ended) -> Saved:
    for row in _rows(ended.output.decode(errors="replace")):
        if row.get("message_type") == "summary":
            return Saved(
                str(row["snapshot_id"]),
                int(row["total_files_processed"]),
                int(row["total_bytes_processed"]),
                int(row["data_added"]),
            )
    raise errors.BackupFailed("restic told no result", subject="restic")


def _unread(ended: Ended) -> str:
    """The files that could not be read, by name."""
    found = [
        f"{row.get('item')}: {(row.get('error') or {}).get('Err', 'unreadable')}"
        for row in _rows(ended.errors)
        if row.get("message_type") == "error"
    ]
    return "\n".join(dict.fromkeys(found))


def _rows(text: str) -> Iterator[Mapping[str, Any]]:
    """What it said in JSON, a line each; warnings between them are left out."""
    for line in text.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row


def _missing(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if not os.path.lexists(path)]


def _beside(into: Path) -> Path:
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".restore-", dir=into))


def _literal(path: Path) -> str:
    """A path as a pattern that means only itself."""
    return "".join(f"\\{sign}" if sign in "*?[\\" else sign for sign in str(path))


def _move_in(source: Path, into: Path) -> None:
    """Every entry of `source` in its place, and the folder's own owner and mode."""
    if not source.is_dir():
        return  # an empty folder may not be in the copy
    for entry in sorted(source.iterdir()):
        place = into / entry.name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        elif entry.is_dir() and not entry.is_symlink():
            place.unlink(missing_ok=True)  # a folder does not replace a file or a link
        entry.replace(place)
    state = source.stat()
    os.chown(into, state.st_uid, state.st_gid)
    into.chmod(state.st_mode & 0o7777)
