"""What is wrong with the values an environment has: pure rules over names, files and values.

No finding, repr or message ever holds a value or a part of one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from berthmaster.domain.check import PRODUCTION
from berthmaster.domain.secret import SecretFile, SecretKind
from berthmaster.planner.secretformats import format_problem
from berthmaster.planner.secretkinds import Wanted
from berthmaster.planner.secretstrength import weakness

OPEN_TO_OTHERS: Final = 0o077
_WRITABLE_BY_OTHERS: Final = 0o022


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, about one name."""

    rule: str  # `missing`, `placeholder`, `weak`, ...
    name: str
    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Held:
    """A value that is wanted, where it was found, and the value itself, which nothing prints."""

    wanted: Wanted
    source: str = ""  # `secrets/prod/NAME`, `.env.prod`; empty: nowhere
    value: bytes | None = field(default=None, repr=False)
    file: SecretFile | None = None

    @property
    def name(self) -> str:
        return self.wanted.name


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules know of the environment."""

    environment: str
    is_strict: bool
    owners: frozenset[int]  # who may own a secret: root, who runs this, who owns the app's folder

    @property
    def is_production(self) -> bool:
        return self.environment in PRODUCTION


def judge(held: Held, scene: Scene) -> Iterator[Finding]:
    """Everything that is wrong with one value; a value that is missing has no other fault."""
    if held.file is not None and not held.file.is_plain:
        yield from judge_file(held.file, held.source, scene)
        return
    if held.value is None or not held.value.strip():
        yield from _judge_missing(held, scene)
        return
    if held.file is not None:
        yield from judge_file(held.file, held.source, _with_readers(scene, held))
    text = held.value.decode(errors="replace").strip()
    remedy = _remedy(held, scene)
    # A developer may have `password`.
    if scene.is_strict and (found := weakness(held.wanted, text)):
        yield Finding(found.rule, held.name, f"{held.source}: {found.why}", remedy)
        return
    wanted = held.wanted.format
    if wanted and (problem := format_problem(wanted, text, is_production=scene.is_production)):
        yield Finding("format", held.name, f"{held.source}: {problem}", remedy)


def _with_readers(scene: Scene, held: Held) -> Scene:
    """With plain Compose a file must belong to the uid that reads it in the container."""
    return replace(scene, owners=scene.owners | set(held.wanted.need.uids))


def _judge_missing(held: Held, scene: Scene) -> Iterator[Finding]:
    wanted = held.wanted
    if wanted.need.default is not None:
        if wanted.need.default and wanted.is_secret and scene.is_strict:
            known = f"the default that stands in {wanted.need.location} is in force"
            yield Finding("placeholder", wanted.name, known, _remedy(held, scene))
        return
    where = f"{wanted.need.location} asks for it"
    what = "has no value" if held.value is None else f"is empty in {held.source}"
    if not wanted.is_secret:
        remedy = f"write {wanted.name}=... into .env.{scene.environment}"
        yield Finding("unset", wanted.name, f"{what}; {where}", remedy)
    else:
        yield Finding("missing", wanted.name, f"{what}; {where}", _remedy(held, scene))


def judge_file(file: SecretFile, source: str, scene: Scene) -> Iterator[Finding]:
    """Who else could read or write a secret's file."""
    if not file.is_plain:
        yield Finding(
            "file",
            file.name,
            f"{source} is no plain file (a link?)",
            f"put a file in its place: {source}",
        )
        return
    if file.mode & OPEN_TO_OTHERS:
        yield Finding(
            "permissions",
            file.name,
            f"{source} has mode {file.mode:04o}: others may read it",
            f"chmod 600 {source}, and think about who read it",
        )
    if file.uid not in scene.owners:
        yield Finding(
            "permissions",
            file.name,
            f"{source} belongs to uid {file.uid}",
            f"chown root {source}, and think about who wrote it",
        )


def judge_folder(folder: SecretFile, source: str, scene: Scene) -> Iterator[Finding]:
    """Whether somebody else could put another file in a secret's place."""
    if folder.mode & _WRITABLE_BY_OTHERS:
        yield Finding(
            "permissions",
            source,
            f"{source} has mode {folder.mode:04o}: others may write there",
            f"chmod 700 {source}",
        )
    elif folder.uid not in scene.owners:
        yield Finding(
            "permissions", source, f"{source} belongs to uid {folder.uid}", f"chown root {source}"
        )


def judge_shared(
    own: str, marks: Mapping[str, Mapping[str, str]], allowed: Mapping[str, str]
) -> Iterator[Finding]:
    """Values that another environment has too; `marks` are keyed hashes by environment and name."""
    others = {
        mark: (environment, name)
        for environment, found in sorted(marks.items())
        if environment != own
        for name, mark in found.items()
    }
    for name, mark in sorted(marks.get(own, {}).items()):
        if mark in others and name not in allowed:
            environment, other = others[mark]
            yield Finding(
                "shared",
                name,
                f"has the same value as {other} in {environment}",
                f"berth secrets rotate {own} {name}, or give the reason: secrets.{name}.shared",
            )


def judge_twice(names: Iterable[str], folder: str, env_file: str) -> Iterator[Finding]:
    """Names that stand in two places: one of them would silently win."""
    for name in sorted(names):
        yield Finding(
            "twice", name, f"is in {folder} and in {env_file}", f"take {name} out of {env_file}"
        )


def _remedy(held: Held, scene: Scene) -> str:
    wanted = held.wanted
    if not wanted.is_secret:
        return f"mend {wanted.name} in {held.source}"
    if wanted.kind is SecretKind.GIVEN:
        return f"berth secrets set {scene.environment} {wanted.name}"
    if held.value is None:
        return f"berth secrets init {scene.environment}"
    return f"berth secrets rotate {scene.environment} {wanted.name}"
