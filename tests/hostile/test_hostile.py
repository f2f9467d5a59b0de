"""Hostile names, values and files: refused with exit code 2, never a traceback, never a shell.

Every argument and option of every command that takes text is found by walking the command line, so
that one that is added is tried from birth.
"""

import contextlib
import copy
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.hostile.generated import generated
from tests.unit.cli.shop import Answer, Shop, live_shop, shop
from tests.unit.cli.test_files_to_release import BERTHFILE, COMPOSE, cart

from berthmaster.adapters.berthfile.compose_files import check_compose_files
from berthmaster.adapters.berthfile.envfile import parse_env
from berthmaster.adapters.berthfile.model import Berthfile
from berthmaster.adapters.berthfile.read import parse_berthfile
from berthmaster.adapters.registry.reference import parse_reference
from berthmaster.cli.main import berth
from berthmaster.domain.errors import BerthmasterError, UserError
from berthmaster.domain.names import check_host, check_name, parse_stack
from berthmaster.testing.compose import FakeCompose

__all__ = ["cart", "live_shop", "shop"]

HOSTILE = (
    # a shell's own characters
    "; rm -rf /", "$(reboot)", "`reboot`", "a|b", "a&b", "a&&b", "a>b", "a<b", "a*b", "a?b",
    "a[b]", "{a,b}", "~root", "!!", "a'b", 'a"b', "a\\b", "$HOME", "${HOME}", "a;b", "a b", "a\tb",
    # an option where a name belongs
    "-", "--", "-x", "--help-me", "-rf", "--privileged", "-v/:/host", "--all=x", "-e X=y", "-a",
    # ends of lines, ends of strings, terminals
    "a\nb", "a\rb", "a\r\nb", "prod\n", "\nprod", "a\x00b", "\x00", "a\x1b[31mb", "a\x07b",
    "a\x7fb", "a\u2028b", "a\u0085b", "a\x0bb", "a\ud800b",
    # paths
    "..", ".", "../..", "../../etc/passwd", "/etc/passwd", "/", "//", "a/../b", "a//b", "a/./b",
    "%2e%2e%2f", "..%2f", "a\\..\\b", "file:///etc/passwd", "a/b/c/d",
    # letters that are not what they look like
    "pr\u043ed", "sh\u03bfp@prod", "\uff50rod", "prod\u200b", "\u202eprod", "pro\u0301d",
    "\ufeffprod", "\u0440rod", "pr\u00f6d", "\U0001f600", "PROD\u0130", "\u212aey",
    # other languages
    "{{7*7}}", "%s%s%n", "${jndi:ldap://x}", "' OR 1=1 --", "1; DROP TABLE stacks", "<script>",
    "&lt;", "!!python/object:os.system", "*alias", "&anchor", "null!", "%(x)s", "{0}", "\\u0000",
    # too much, too little
    "", " ", "   ", "a" * 300, "a" * 70_000, "-" * 300, "@" * 50, "/" * 300, "@", "@prod", "shop@",
    "shop@prod/", "shop@prod@prod", "shop@prod/a/b", "a@b@c/d", "shop@prod/r7", "..@prod",
    "Shop@prod",
    # numbers that are none
    "r-1", "r1e9", "r0x1", "d-1", "r\u0661", "d\u0662", "r" + "9" * 400, "d" + "9" * 30, "NaN",
    "-1",
)  # fmt: skip
FEW = tuple(HOSTILE[::4])
GENERATED = generated()
ALL = (*HOSTILE, *GENERATED)
TRIED_ELSEWHERE = {"dev up", "dev down", "dev logs"}  # hand every word to Compose, on purpose
LITERAL = {
    "deploy --despite",
    "hold --why",
    "logs --since",
    "deploy --based-on",
    "deploy --confirm",
}  # compared as they are, if at all
REST = {"exec", "run", "compose"}  # carry words literally


def text_parameters() -> Iterator[tuple[str, str]]:
    """Every command with each of its arguments and options that take text."""
    yield from _walk(berth, (), click.Context(berth))


def _walk(
    command: click.Command, path: tuple[str, ...], context: click.Context
) -> Iterator[tuple[str, str]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _walk(found, (*path, name), click.Context(found, parent=context))
        return
    if " ".join(path) in TRIED_ELSEWHERE:
        return
    for item in command.params:
        if not getattr(item, "is_flag", False) and not isinstance(item.type, click.Path):
            yield " ".join(path), item.opts[0]


def line_for(command: str, parameter: str, value: str) -> list[str]:
    """A command line that is right in everything but this value."""
    words = command.split()
    more = ["--tag", "v1"] if command in ("deploy", "plan", "build", "check") else []
    if parameter.startswith("-"):
        more = [] if parameter == "--tag" else more
        return [*words, *more, f"{parameter}={value}", "web" if command == "logs" else "prod"]
    more = ["--confirm", value] if command == "destroy" else more
    before = ["on"] if command == "maintenance" and parameter == "stack" else []
    return [*words, *more, "--", *before, value]


@pytest.fixture
def hostile_cart(cart: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The app of the files, live; what would start a program fails the test."""

    def refuse(*given: Any, **more: Any) -> NoReturn:
        raise AssertionError(f"a program would be started: {given} {more}")

    assert cart.berth("deploy", "prod", "--tag", "v1").code == 0
    monkeypatch.setattr(os, "execvp", refuse)
    monkeypatch.setattr(os, "system", refuse)
    return cart


def check_refused(answer: Answer, line: list[str], *codes: int) -> None:
    assert answer.code in codes, f"{line!r:.200}: exit {answer.code}\n{answer.out}{answer.err}"
    assert "Traceback" not in answer.err + answer.out
    assert "\x1b[31m" not in answer.err, "a value reaches the terminal as it is"


@pytest.mark.parametrize(("command", "parameter"), text_parameters())
def test_no_command_takes_a_hostile_value(hostile_cart: Shop, command: str, parameter: str) -> None:
    # NOTE: -S is the same option of every command, so that one is enough.
    tried = FEW if parameter == "-S" and command != "status" else (*HOSTILE, *dealt(command))
    for value in tried:
        if is_no_attack(value, parameter):
            continue
        line = line_for(command, parameter, value)
        is_carried = command in REST or f"{command} {parameter}" in LITERAL
        check_refused(hostile_cart.berth(*line), line, 2, *((0,) if is_carried else ()))


def dealt(command: str) -> tuple[str, ...]:
    """A tenth of the generated values, the same in every run, others for every command.

    All of them at each of 150 places take minutes; the parsers below are given every one.
    """
    return tuple(random.Random(command).sample(GENERATED, len(GENERATED) // 10))


def test_nearly_every_generated_value_is_dealt_and_no_two_commands_get_the_same() -> None:
    commands = {command for command, _ in text_parameters()}
    tried = {value for command in commands for value in dealt(command)}
    assert len(tried) > 0.9 * len(GENERATED)
    assert len({dealt(command) for command in commands}) == len(commands)


def is_no_attack(value: str, parameter: str) -> bool:
    """What no shell hands over, the only stack left out, a tag that may be called so, a number."""
    if "\ud800" in value or (value == "" and not parameter.startswith("-")):
        return True
    if (parameter, value) == ("--release", ""):  # as if it were left out
        return True
    if parameter == "--tail" and value.strip().isdecimal() and value.isascii():
        return True
    if parameter in ("host", "--resolve"):  # a name that could be asked for
        with contextlib.suppress(UserError):
            return bool(check_host(value))
    if parameter == "--tag":
        with contextlib.suppress(UserError):
            return bool(check_name("tag", value))
    return False


PARSERS: dict[str, Callable[[str], Any]] = {
    "stack": parse_stack,
    "host": check_host,
    "image": parse_reference,
    **{kind: partial(check_name, kind) for kind in ("app", "tag", "service", "path")},
}


@pytest.mark.parametrize("kind", PARSERS)
def test_a_name_is_refused_or_harmless(kind: str) -> None:
    for value in ALL:
        with contextlib.suppress(BerthmasterError):
            taken = str(PARSERS[kind](value))
            assert not taken.startswith("-"), value
            assert taken.isascii(), value
            assert not set(taken) & set(" \t\r\n\x00\x1b;|&$`<>'\"\\()!~"), value


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
@example("a" * 300)
def test_any_text_is_refused_or_harmless(value: str) -> None:
    for kind in ("app", "environment", "tenant", "service", "tag", "digest", "variable", "path"):
        with contextlib.suppress(UserError):
            assert check_name(kind, value).isascii()
    for parse in (parse_stack, check_host, parse_reference):
        with contextlib.suppress(UserError):
            assert str(parse(value)).isascii()


def deep(count: int, opening: str, closing: str) -> str:
    return opening * count + closing * count


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "empty": "",
    "only a comment": "# nothing",
    "NUL": "app: ca\x00rt\n",
    "control characters": "app: ca\x08rt\n",
    "a bomb of aliases": BOMB,
    "a circle of aliases": "a: &a [*a]\n",
    "a circle of merges": "a: &a {<<: *a}\n",
    "deep lists": f"a: {deep(300, '[', ']')}\n",
    "deep mappings": f"a: {deep(300, '{a: ', '}')}\n",
    "ten megabytes": "a: " + "x" * 10_000_000,
    "many keys": "".join(f"k{number}: 1\n" for number in range(4_000)),
    "a key twice": "app: a\napp: b\n",
    "a tag that runs code": "!!python/object/apply:os.system ['id']\n",
    "a tag of no meaning": "app: !!binary aGk=\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "a list": "- a\n- b\n",
    "a word": "hello\n",
    "a tab": "a:\n\tb: 1\n",
    "a key that is a list": "? [a, b]\n: c\n",
    "an unknown alias": "a: *nobody\n",
    "half a quote": 'a: "half\n',
    "a huge number": f"app: {'9' * 5000}\n",
    "an odd number": "app: 0o9_\n",
    "a date that is none": "app: 2026-99-99\n",
    "a lone surrogate": 'app: "\\ud800"\n',
    "a directive": "%YAML 9.9\n---\na: 1\n",
    "a null key": "~: 1\nservices: {}\n",
    "numbers as keys": "1: 2\nservices: {1: {image: x}}\n",
    "a service that is a word": "services: {web: word}\n",
    "services as a list": "services: [web]\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_berth_yaml_is_refused(cart: Shop, name: str) -> None:
    (cart.folder / "berth.yaml").write_bytes(FILES[name].encode("utf-8", "surrogatepass"))
    for line in (["check", "prod", "--tag", "v1"], ["plan", "prod", "--tag", "v1"], ["deploy"]):
        check_refused(cart.berth(*line), line, 2)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_compose_file_is_refused(cart: Shop, name: str) -> None:
    (cart.folder / "compose.yaml").write_bytes(FILES[name].encode("utf-8", "surrogatepass"))
    check_refused(cart.berth("deploy", "prod", "--tag", "v1"), ["deploy"], 2)
    check_refused(cart.berth("init", "--force"), ["init"], 0, 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("app: cart", "app: VALUE"),
        ("hosts: [cart.test]", "hosts: [VALUE]"),
        ("path: /,", "path: VALUE,"),
        ("service: web", "service: VALUE"),
        ("port: 8000", "port: VALUE"),
        ("ready: /health/", "ready: VALUE"),
        ("  prod:", "  VALUE:"),
        ("prod: {compose: [compose.yaml]", "prod: {compose: [VALUE]"),
        ("prod: {", "prod: {entrypoint: VALUE, "),
        ("prod: {", "prod: {env_file: VALUE, "),
        ("prod: {", "prod: {secrets: VALUE, "),
        ("prod: {", "prod: {replicas: {VALUE: 2}, "),
    ],
)
def test_a_hostile_value_in_berth_yaml_is_refused(cart: Shop, old: str, new: str) -> None:
    for value in FEW:
        quoted = "".join(f"\\U{ord(letter):08x}" for letter in value[:300])
        text = BERTHFILE.replace(old, new.replace("VALUE", f'"{quoted}"'), 1)
        assert text != BERTHFILE
        (cart.folder / "berth.yaml").write_text(text)
        line = ["check", "cart@prod", "--tag", "v1"]
        check_refused(cart.berth(*line), [new, value], *codes_of(new, value))


def codes_of(new: str, value: str) -> tuple[int, ...]:
    """Refused; a file's name may also be carried literally, a host in its ASCII form.

    A host that is carried has no address in DNS, which `check` tells with 3.
    """
    if "env_file" in new or "secrets" in new:
        return (0, 2)
    if "hosts" in new:
        with contextlib.suppress(UserError):
            return (0, 3) if check_host(value).isascii() else (2,)
    return (2,)


def test_a_file_outside_the_app_is_not_read(cart: Shop, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("elsewhere") / "compose.yaml"
    outside.write_text(COMPOSE)
    (cart.folder / "compose.yaml").unlink()
    (cart.folder / "compose.yaml").symlink_to(outside)
    check_refused(cart.berth("deploy", "prod", "--tag", "v1"), ["deploy"], 2)


def test_a_folder_or_a_pipe_in_place_of_a_file_is_refused(cart: Shop) -> None:
    path = cart.folder / "compose.yaml"
    path.unlink()
    path.mkdir()
    check_refused(cart.berth("deploy", "prod", "--tag", "v1"), ["deploy"], 2)
    path.rmdir()
    path.symlink_to(path)
    check_refused(cart.berth("deploy", "prod", "--tag", "v1"), ["deploy"], 2)
    path.unlink()
    os.mkfifo(path)
    check_refused(cart.berth("deploy", "prod", "--tag", "v1"), ["deploy"], 2)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_berth_yaml_or_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        parse_berthfile(text, Path("/nowhere"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_an_env_file_or_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        parse_env(text, ".env")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["services", "image", "web", "build", "env_file", "x"]), inner
            )
        ),
    )
)
def test_any_data_is_a_compose_file_or_refused(tmp_path: Path, data: object) -> None:
    (tmp_path / "compose.yaml").write_text(json.dumps(data))
    with contextlib.suppress(UserError):
        check_compose_files(tmp_path, ["compose.yaml"])


def quoted(value: str) -> str:
    """A YAML string of any text."""
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value[:300]) + '"'


def text_keys() -> Iterator[tuple[str, ...]]:
    """Every key of berth.yaml, as the schema for editors names it; `NAME` where any name may be."""
    yield from _keys(Berthfile.model_json_schema(), {}, ())


def _keys(
    schema: dict[str, Any], types: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    types = types or schema.get("$defs", {})
    schema = {**schema, **types.get(str(schema.get("$ref", "")).rpartition("/")[2], {})}
    if len(path) > 5:
        return
    for key, inner in schema.get("properties", {}).items():
        yield (*path, key)
        yield from _keys(inner, types, (*path, key))
    for choice in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _keys(choice, types, path)
    if isinstance(inner := schema.get("additionalProperties"), dict):
        yield (*path, "NAME")
        yield from _keys(inner, types, (*path, "NAME"))
    if isinstance(inner := schema.get("items"), dict):
        yield (*path, "[]")
        yield from _keys(inner, types, (*path, "[]"))


def document(path: tuple[str, ...], value: object, name: str) -> object:
    """The least that holds a value at a path."""
    for key in reversed(path):
        value = [value] if key == "[]" else {name if key == "NAME" else key: value}
    return value


KEYS = sorted(set(text_keys()))


def test_every_key_of_berth_yaml_is_found() -> None:
    assert len(KEYS) > 100
    assert ("environments", "NAME", "hosts", "[]") in KEYS


@pytest.mark.parametrize("part", range(8))
def test_any_value_at_any_key_of_berth_yaml_is_taken_or_refused(part: int) -> None:
    """As a value and as a name; 2 of 8 values at each key, another 2 at the next."""
    base: dict[str, Any] = {
        "app": "cart",
        "routes": [{"path": "/", "service": "web", "port": 8000}],
    }
    base |= {"environments": {"prod": {"compose": ["compose.yaml"]}}}
    for number, path in enumerate(KEYS[part::8]):
        for value in ALL[number % 8 :: 8]:
            text = value[:300].replace("\ud800", "x")
            for made in (document(path, text, "web"), document(path, "x", text)):
                assert isinstance(made, dict)
                with contextlib.suppress(UserError):
                    parse_berthfile(json.dumps({**base, **made}), Path("/nowhere"))


MODEL_PLACES = (
    ("services", "VALUE"),
    *(("services", "web", key) for key in ("image", "user", "container_name", "working_dir")),
    *(("services", "web", key) for key in ("hostname", "network_mode", "restart", "entrypoint")),
    ("services", "web", "environment", "VALUE"),
    ("services", "web", "environment", "NAME"),
    ("services", "web", "labels", "VALUE"),
    ("services", "web", "networks", "VALUE"),
    ("services", "web", "volumes", "[]"),
    ("services", "web", "depends_on", "VALUE"),
    ("services", "web", "secrets", "[]"),
    ("services", "web", "ports", "[]"),
    ("networks", "VALUE"),
    ("volumes", "VALUE"),
    ("secrets", "VALUE"),
    ("configs", "VALUE"),
)


@pytest.mark.parametrize("path", MODEL_PLACES, ids=".".join)
def test_any_value_in_a_compose_model_is_rendered_or_refused(
    cart: Shop, path: tuple[str, ...]
) -> None:
    """What `docker compose config` printed is somebody's text, too."""
    compose = cart.world.outside.compose
    assert isinstance(compose, FakeCompose)
    whole = compose.models["compose.yaml",]
    for value in (*FEW, *GENERATED[::10]):
        text = value[:300].replace("\ud800", "x")
        compose.models["compose.yaml",] = with_value(whole, path, text)
        answer = cart.berth("plan", "prod", "--tag", "v1")
        check_refused(answer, [*path, text], 0, 2, 3)
        assert "docker" not in answer.err or answer.code, "nothing is run by a plan"


def with_value(whole: Mapping[str, Any], path: tuple[str, ...], text: str) -> dict[str, Any]:
    """A copy of a model with a text as a value, or as a key where the path says `VALUE`."""
    made: dict[str, Any] = copy.deepcopy(dict(whole))
    *before, last = path
    place: Any = made
    for key in before:
        if not isinstance(place.get(key), dict):
            place[key] = {}
        if last == "[]" and key == before[-1]:
            place[key] = [text]
            return made
        place = place[key]
    if last == "VALUE":
        place[text] = {} if before[-1] != "services" else dict(whole["services"]["web"])
    else:
        place[last] = text
    return made


@pytest.mark.parametrize("value", ALL)
def test_a_hostile_line_of_an_env_file_is_data_or_refused(value: str) -> None:
    for text in (
        f"{value}=x\n",
        f"NAME={value}\n",
        f"NAME='{value}'\n",
        f'NAME="{value}"\n',
        value,
    ):
        with contextlib.suppress(UserError):
            for name in parse_env(text, ".env"):
                assert not set(name) & set(" \t\r\n\x00\x1b;|&$`<>'\"()="), name


def test_the_name_of_a_secret_is_no_way_out_of_its_folder(tmp_path: Path) -> None:
    """Names of secrets become names of files under the release's folder."""
    for value in ALL:
        with contextlib.suppress(UserError, ValueError):
            target = f"secrets/{check_name('secret', value)}"
            assert (tmp_path / target).resolve().is_relative_to(tmp_path), value
