"""A command that is asked for from another machine: what is sent, and what may be sent.

The far side takes nothing on trust: every path, hash, size and word of a request is parsed here
into a strict type before anything is written or run.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, Final

from berthmaster.domain.errors import InvalidName, NotAllowed, UserError
from berthmaster.domain.names import check_name

PROTOCOL: Final = 1  # both sides must speak the same
MOST_FILES: Final = 50_000
MOST_BYTES: Final = 2 << 30  # of all files of one request
MOST_WORDS: Final = 1000
LONGEST_WORD: Final = 32_768
FOLLOWED_VARIABLES: Final = ("TERM", "COLORTERM", "NO_COLOR")  # what an output depends on

_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
_SERVER: Final = re.compile(r"[a-z0-9](?:[a-z0-9]|[.-](?=[a-z0-9])){0,62}\Z")
_ADDRESS: Final = re.compile(
    r"(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}@)?"
    r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z"
)
_VALUE: Final = re.compile(r"[A-Za-z0-9._+:-]{0,64}\Z")
_KEY: Final = re.compile(
    r"(?P<kind>[a-z0-9-]+(?:@openssh\.com)?) (?P<body>[A-Za-z0-9+/]{40,2000}={0,2})"
)
_KEY_KINDS: Final = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@", "sk-ecdsa-sha2-")
_PERSON: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}\Z")
HERE: Final = "local"  # what `-S` calls the machine it is typed at
EVERY: Final = "all"


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """A server as this person knows it."""

    name: str
    address: str  # `[USER@]HOST[:PORT]`, or a name of ~/.ssh/config
    is_sudo: bool = False  # berth is run with `sudo -n` there

    def __post_init__(self) -> None:
        check_server(self.name)
        check_address(self.address)


def check_server(name: str) -> str:
    """Return the name of a server, else raise `InvalidName`."""
    if not _SERVER.match(name) or name in (HERE, EVERY):
        raise InvalidName(
            f"{name!r} is not a valid server: lower-case letters, digits, single dots and dashes,"
            f" at most 63, and neither `{HERE}` nor `{EVERY}`"
        )
    return name


def check_address(address: str) -> str:
    """Return `[USER@]HOST[:PORT]`, else raise `InvalidName`; it is given to ssh as one word."""
    if not _ADDRESS.match(address):
        raise InvalidName(f"{address!r} is not a valid address: write [USER@]HOST[:PORT]")
    return address


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a bundle, or one link inside it."""

    path: str  # relative to the app's folder, plain segments
    mode: int = 0o644
    digest: str = ""  # SHA-256 of the content; empty for a link
    size: int = 0
    link: str | None = None  # where it points to, inside the bundle


@dataclass(frozen=True, slots=True)
class Streams:
    """Which of our standard streams are a terminal, and how large that is."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    columns: int = 80
    rows: int = 24
    is_input: bool = False  # the command reads what we are given


@dataclass(frozen=True, slots=True)
class Request:
    """A command line, the files it needs, and who asks."""

    version: str
    arguments: tuple[str, ...]
    actor: str
    files: tuple[SentFile, ...] = ()
    streams: Streams = field(default_factory=Streams)
    variables: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the repository: it stays behind
    app: str = ""  # of the folder the command was typed in, when its files are not sent
    brings_images: bool = False  # those that no registry has may be asked for
    protocol: int = PROTOCOL

    @property
    def key(self) -> str:
        """The content address of the folder: files and what the repository said of them."""
        rows = [[one.path, one.mode, one.digest, one.link] for one in self.files]
        text = json.dumps([sorted(rows, key=lambda row: str(row[0])), self.facts], sort_keys=True)
        return sha256(text.encode()).hexdigest()


def render_request(request: Request) -> bytes:
    """As it goes over the wire."""
    files = [
        [one.path, one.mode, one.digest, one.size] if one.link is None else [one.path, one.link]
        for one in request.files
    ]
    streams = request.streams
    return json.dumps(
        {
            "protocol": request.protocol,
            "version": request.version,
            "arguments": request.arguments,
            "actor": request.actor,
            "files": files,
            "terminal": [streams.stdin, streams.stdout, streams.stderr],
            "size": [streams.columns, streams.rows],
            "is_input": streams.is_input,
            "variables": dict(request.variables),
            "facts": dict(request.facts),
            "app": request.app,
            "brings_images": request.brings_images,
        }
    ).encode()


def parse_version(data: bytes) -> tuple[int, str]:
    """Protocol and version alone: the rest of another version's request is not for us to judge."""
    found = _object(data)
    protocol, version = found.get("protocol"), found.get("version")
    if not isinstance(protocol, int) or not isinstance(version, str) or not _VALUE.match(version):
        raise UserError("the request says no version")
    return protocol, version


def parse_request(data: bytes) -> Request:
    """Read a request from somebody who is not trusted; raises `UserError`."""
    protocol, version = parse_version(data)
    found = _object(data)
    files = _files(found.get("files"))
    _check_tree(files)
    return Request(
        version=version,
        arguments=_words(found.get("arguments")),
        actor=_person(found.get("actor")),
        files=files,
        streams=_streams(found),
        variables=_variables(found.get("variables")),
        facts=_facts(found.get("facts")),
        app=_app(found.get("app")),
        brings_images=found.get("brings_images") is True,
        protocol=protocol,
    )


def check_versions(ours: str, protocol: int, theirs: str) -> None:
    """Raise `UserError`, with the remedy, unless a client of that version may use us.

    Told by the server, read at the client: `berth` there is older or newer than here.
    """
    if protocol == PROTOCOL and _series(ours) == _series(theirs):
        return
    if is_newer(theirs, ours) or (ours == theirs and protocol > PROTOCOL):
        what, remedy = "an older", "berth server upgrade SERVER"
    else:
        what, remedy = "a newer", f"install berthmaster {ours} here"
    raise UserError(
        f"the server has {what} Berthmaster: {ours} there, {theirs} here; nothing was done",
        next_command=remedy,
    )


def _series(version: str) -> tuple[str, ...]:
    """What must agree: everything before the last number, `0.1` of `0.1.7`."""
    return tuple(version.split(".")[:2])


def is_newer(one: str, other: str) -> bool:
    """Whether one version is later than another."""
    return _numbers(one) > _numbers(other)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may ask for; empty sets mean everything."""

    name: str = ""  # of the key: who asks, whatever the request says
    commands: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    may_override: bool = False  # deploy what a berth.yaml allows beyond the policy

    @property
    def is_limited(self) -> bool:
        """Whether it is a key's, and not a person's with a shell."""
        return bool(self.name)

    def check_command(self, command: str) -> None:
        """Raise `NotAllowed` for a command that the key was not given."""
        first = command.split(" ")[0]
        if self.is_limited and first == "server" and command not in self.commands:
            raise NotAllowed(f"the key {self.name} may not run `berth {command}`")
        if self.commands and not self.commands & {command, first}:
            known = ", ".join(sorted(self.commands))
            raise NotAllowed(f"the key {self.name} may not run `berth {command}`; it may: {known}")

    def check_environment(self, environment: str) -> None:
        """Raise `NotAllowed` for a stack in an environment that the key was not given."""
        if self.environments and environment not in self.environments:
            known = ", ".join(sorted(self.environments))
            raise NotAllowed(f"the key {self.name} is for {known} only, not for {environment}")


def parse_public_key(text: str) -> str:
    """Kind and body of a public key, without its comment; raises `UserError`.

    A line with options in front is none: they would come before ours.
    """
    match = _KEY.match(text.strip())
    if match is None or not match["kind"].startswith(_KEY_KINDS) or "\n" in text.strip():
        raise UserError("that is no public key: give the one line of a .pub file")
    try:
        inside = base64.b64decode(match["body"], validate=True)
    except ValueError as error:
        raise UserError("that public key is damaged") from error
    length = int.from_bytes(inside[:4], "big")
    if inside[4 : 4 + length] != match["kind"].encode():
        raise UserError("that public key is damaged: its kind is not the one it says")
    return f"{match['kind']} {match['body']}"


def check_key_name(name: str) -> str:
    """Return the name of a key, as it is recorded; raises `InvalidName`."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9]|[.-](?=[a-z0-9])){0,31}", name):
        raise InvalidName(
            f"{name!r} is not a valid name of a key: lower-case letters, digits, single dashes"
        )
    return name


def authorized_line(key: str, allowance: Allowance, program: str) -> str:
    """A line of `authorized_keys`: this key can start this one program with these limits.

    Every part is of a strict type, so that nothing of it can end the quotes.
    """
    words = [program, "serve-request", "--key", check_key_name(allowance.name)]
    if allowance.commands:
        words += ["--only", ",".join(sorted(allowance.commands)).replace(" ", "+")]
    if allowance.environments:
        words += ["--env", ",".join(sorted(allowance.environments))]
    words += ["--overrides"] if allowance.may_override else []
    return f'command="{" ".join(words)}",restrict {key} {allowance.name}'


def check_path(path: object) -> str:
    """Return a relative path of plain segments; raises `InvalidName` for what could leave."""
    parts = path.split("/") if isinstance(path, str) else []
    bad = not parts or any(part in ("", ".", "..") for part in parts)
    if bad or not str(path).isprintable() or "\\" in str(path) or len(str(path)) > 1024:
        raise InvalidName(f"{path!r} is no path inside a bundle")
    return str(path)


def _check_tree(files: Sequence[SentFile]) -> None:
    """No two entries for one path, and none below a file or a link."""
    names = {one.path for one in files}
    if len(names) != len(files):
        raise UserError("the bundle names a path twice")
    for one in files:
        for parent in PurePosixPath(one.path).parents:
            if str(parent) in names:
                raise UserError(f"{one.path!r} lies below {str(parent)!r}, which is no folder")
    if sum(one.size for one in files) > MOST_BYTES:
        raise UserError(f"the bundle is larger than {MOST_BYTES >> 20} MB")


def _files(value: object) -> tuple[SentFile, ...]:
    rows = _list(value, "files", MOST_FILES)
    return tuple(_file(row) for row in rows)


def _file(row: object) -> SentFile:
    match row:
        case [path, str(link)]:
            return SentFile(check_path(path), link=_link(check_path(path), link))
        case [path, int(mode), str(digest), int(size)]:
            if not _HASH.match(digest) or not 0 <= size <= MOST_BYTES or mode & ~0o777:
                raise UserError(f"{path!r}: no valid hash, size or mode")
            return SentFile(check_path(path), mode, digest, size)
    raise UserError("the bundle holds something that is no file")


def _link(path: str, target: str) -> str:
    """A link may point to what is in the bundle, nowhere else."""
    if not target.isprintable() or target.startswith("/") or not target:
        raise InvalidName(f"the link {path!r} leads out of the bundle")
    depth = len(PurePosixPath(path).parts) - 1
    for part in PurePosixPath(target).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            raise InvalidName(f"the link {path!r} leads out of the bundle")
    return target


def _words(value: object) -> tuple[str, ...]:
    words = _list(value, "arguments", MOST_WORDS)
    for word in words:
        if not isinstance(word, str) or "\0" in word or len(word) > LONGEST_WORD:
            raise UserError("an argument is no text")
    return tuple(str(word) for word in words)


def _person(value: object) -> str:
    if not isinstance(value, str) or not _PERSON.match(value):
        raise UserError("the request does not say who asks")
    return value


def _app(value: object) -> str:
    return check_name("app", value) if isinstance(value, str) and value else ""


def _streams(found: Mapping[str, Any]) -> Streams:
    terminal, size = (
        _list(found.get("terminal"), "terminal", 3),
        _list(found.get("size"), "size", 2),
    )
    if len(terminal) != 3 or len(size) != 2:
        raise UserError("the request does not say what is a terminal")
    columns, rows = (one if isinstance(one, int) and 0 < one < 10_000 else 80 for one in size)
    stdin, stdout, stderr = (one is True for one in terminal)
    return Streams(stdin, stdout, stderr, columns, rows, found.get("is_input") is True)


def _variables(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UserError("the request's variables are no mapping")
    for name, text in value.items():
        is_known = name in FOLLOWED_VARIABLES
        if not is_known or not isinstance(text, str) or not _VALUE.match(text):
            raise UserError(f"the variable {name!r} may not be sent")
    return dict(value)


def _facts(value: object) -> dict[str, Any]:
    """What the repository said: a revision, and paths that are not committed."""
    if not isinstance(value, dict) or set(value) - {"revision", "changed", "untracked", "problem"}:
        raise UserError("the request's facts are not known")
    for name in ("revision", "problem"):
        text = value.get(name)
        if text is not None and (not isinstance(text, str) or not text[:200].isprintable()):
            raise UserError(f"the request's {name} is no text")
    for name in ("changed", "untracked"):
        if not all(isinstance(one, str) for one in _list(value.get(name, []), name, MOST_FILES)):
            raise UserError(f"the request's {name} are no paths")
    return dict(value)


def _list(value: object, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise UserError(f"the request's {what} are no list of at most {most}")
    return value


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError("the request is no JSON") from error
    if not isinstance(found, dict):
        raise UserError("the request is no object")
    return found
