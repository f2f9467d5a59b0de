"""What the pages say can be done: commands, keys of files and links are there.

Commands are taken from fenced shell blocks and inline code and parsed by the real command line,
without running anything; blocks of `berth.yaml` and of settings are read as such.
"""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from berthmaster.adapters.berthfile.document import parse_document
from berthmaster.adapters.berthfile.model import Berthfile
from berthmaster.settings import read_settings

ROOT = Path(__file__).parents[2]
EXAMPLES = [*ROOT.glob("examples/*/README.md"), *ROOT.glob("examples/*/docs/**/*.md")]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *EXAMPLES])
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.S | re.M)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`(berth [a-z][^`\n]*)`")
SHELL = ("sh", "bash", "shell", "console")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def shell_lines(text: str) -> Iterator[str]:
    """Command lines of shell blocks; in `console` blocks only what follows a prompt."""
    for _, language, body in FENCE.findall(text):
        if language not in SHELL:
            continue
        for line in body.replace("\\\n", " ").splitlines():
            prompt, _, rest = line.strip().partition(" ")
            if prompt in ("$", "#") and language == "console":
                yield rest
            elif language != "console":
                yield line.strip()


def berth_arguments(line: str) -> list[str] | None:
    """The arguments of `berth` in a line; variables and `sudo` may stand before it."""
    words = shlex.split(line, comments=True)
    while words and (words[0] == "sudo" or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    ends = [words.index(word) for word in ("|", ">", ">>", "<", "&&") if word in words]
    words = words[: min(ends, default=len(words))]
    return words[1:] if words and Path(words[0]).name == "berth" else None


def check_arguments(
    command: click.Command, arguments: list[str], name: str = "berth", *, is_whole: bool = False
) -> None:
    """Raise `click.UsageError` for a command, flag or argument that does not exist.

    A whole one, which somebody may type as it stands, also has everything that is required.
    """
    context = click.Context(command, info_name=name)
    parser = command.make_parser(context)
    values, rest, _ = parser.parse_args(list(arguments))
    if isinstance(command, click.Group):
        if not rest:  # `berth --help`
            return
        word, found, more = command.resolve_command(context, rest)
        assert found is not None
        check_arguments(found, more, f"{name} {word}", is_whole=is_whole)
        return
    if rest:
        raise click.UsageError(f"{name} takes no {rest[0]}", context)
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)
        if is_whole and parameter.required and parameter.value_is_missing(value):
            raise click.MissingParameter(ctx=context, param=parameter)


def blocks(page: Path, language: str) -> list[str]:
    return [body for _, found, body in FENCE.findall(page.read_text()) if found == language]


# Those of the reference are made from the command line, with its placeholders.
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
BERTHFILES = [
    pytest.param(body, id=relative(page))
    for page in PAGES
    for body in blocks(page, "yaml")
    if not body.startswith(("# compose", "# checklists/"))
]
SETTINGS = [
    pytest.param(body, id=relative(page)) for page in PAGES for body in blocks(page, "toml")
]


@pytest.mark.parametrize("page", WRITTEN, ids=relative)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    from berthmaster.cli.main import berth

    text, wrong = page.read_text(), list[str]()
    typed = set(shell_lines(text))
    for line in {*typed, *INLINE.findall(text)}:
        arguments = berth_arguments(line)
        try:
            if arguments is not None:
                check_arguments(berth, arguments, is_whole=line in typed)
        except click.UsageError as error:
            wrong.append(f"{line}: {error.format_message()}")
    assert wrong == []


@pytest.mark.parametrize("body", BERTHFILES)
def test_a_piece_of_berth_yaml_has_only_keys_that_exist(body: str) -> None:
    piece = parse_document(textwrap.dedent(body), "page").data
    Berthfile.model_validate({"app": "shop", "environments": {"prod": None}, **piece})


@pytest.mark.parametrize("body", SETTINGS)
def test_a_piece_of_the_settings_has_only_keys_that_exist(body: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(body)
    read_settings(file, {})


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in links_of(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{relative(page)} links to {target}"
        assert not anchor or anchor in anchors_of(file), f"{relative(page)} links to {target}"


def test_every_page_is_reached_from_another() -> None:
    linked = {
        file
        for page in PAGES
        for target in links_of(page)
        if (file := (page.parent / target.partition("#")[0]).resolve()) != page
    }
    inner = {page for page in PAGES if page.parent != ROOT}
    assert [relative(page) for page in sorted(inner - linked)] == []


def test_a_wrong_command_flag_or_argument_is_noticed() -> None:
    @click.group()
    def tool() -> None: ...

    @tool.command()
    @click.argument("place", type=click.Choice(["on", "off"]))
    @click.option("--tag")
    def deploy(place: str, tag: str) -> None: ...

    check_arguments(tool, ["deploy", "on", "--tag", "v1"], is_whole=True)
    with pytest.raises(click.UsageError):
        check_arguments(tool, ["deploy", "--tag", "v1"], is_whole=True)
    for wrong in (["deplo"], ["deploy", "--tga", "v1"], ["deploy", "on", "x"], ["deploy", "up"]):
        with pytest.raises(click.UsageError):
            check_arguments(tool, wrong)


def test_commands_are_found_in_shell_blocks_only() -> None:
    text = (
        "`berth no`\n```yaml\nberth no\n```\n"
        "```sh\nberth deploy prod \\\n  --tag v1  # why\nsudo A=1 berth tick | head\nls\n```\n"
        "```console\n$ berth status\nberth is output\n```\n"
    )
    found = [berth_arguments(line) for line in shell_lines(text)]
    assert found == [["deploy", "prod", "--tag", "v1"], ["tick"], None, ["status"]]


def links_of(page: Path) -> list[str]:
    """Targets of the page's links that are no addresses on the web."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))
    return [target for target in LINK.findall(text) if "://" not in target]


def anchors_of(page: Path) -> set[str]:
    """Headings as they are written behind `#`."""
    if page.suffix != ".md":
        return set()
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
