"""The page `docs/requirements.md`: which test shows which requirement of the source documents.

Tests carry `@pytest.mark.requirement("R14")`; `lines.txt` says in our words what R14 asks for. Read
from the source text, so that no test module (or example with its own dependencies) is imported.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = Path(__file__).with_name("lines.txt")
PAGE = ROOT / "docs" / "requirements.md"
DOCUMENTS = {
    "000": "ADR 12: modular stack cutover (StatusWatch)",
    "001": "ADR 08: production deployment (StatusWatch)",
    "002": "ADR: containerized single-tenant deployment (CMS)",
    "003": "Cutover plan: Django sidecar (Watan)",
    "004": "Multi-environment deploy coordination (Sanctum)",
}
_LINE = re.compile(r"(R[1-9]\d*) +(\d{3}) +(\S.*)\Z")
_HEAD = """\
# Requirements and the tests that show them

Made by `python -m tests.requirements` from the markers in the tests; do not edit it. A number
stands for one requirement of one source document; the sentence is ours. What is not listed is not
shown yet.

| document | what it is | requirements shown |
| --- | --- | --- |
"""
_TABLE = """
| no. | document | requirement | shown by |
| --- | --- | --- | --- |
"""


class Mismatch(Exception):
    """Markers and lines do not name the same requirements."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One number with its document and what it asks for, in our words."""

    number: str
    document: str
    text: str


def render_page() -> str:
    """The page's text; raises `Mismatch` for a marker without a line, or a line without one."""
    lines, shown = read_lines(LINES.read_text()), find_marked(ROOT)
    check_match(lines, shown)
    counts = {key: sum(item.document == key for item in lines.values()) for key in DOCUMENTS}
    head = "".join(f"| {key} | {what} | {counts[key]} |\n" for key, what in DOCUMENTS.items())
    rows = "".join(_row(item, shown[item.number]) for item in lines.values())
    return f"{_HEAD}{head}{_TABLE}{rows}"


def read_lines(text: str) -> dict[str, Requirement]:
    """`R14  000  sentence` by number, in numeric order; raises `Mismatch` for any other line."""
    found: dict[str, Requirement] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if not match or match[2] not in DOCUMENTS or match[1] in found:
            raise Mismatch(f"{LINES.name}: wrong, unknown document, or twice: {line}")
        found[match[1]] = Requirement(match[1], match[2], match[3])
    return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))


def find_marked(root: Path) -> dict[str, list[str]]:
    """Requirement -> tests as `path::name`, from the tests of the product and its examples."""
    shown: dict[str, list[str]] = defaultdict(list)
    for path in sorted([*root.glob("tests/**/test_*.py"), *root.glob("examples/*/tests/**/*.py")]):
        where = path.relative_to(root).as_posix()
        for number, name in marked_in(path.read_text()):
            shown[number].append(f"{where}::{name}" if name else where)
    return dict(shown)


def marked_in(source: str) -> Iterator[tuple[str, str]]:
    """Pairs of requirement and test name; the name is empty for a `pytestmark` of the module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and _names(node) == ["pytestmark"]:
            yield from ((number, "") for number in _numbers([node.value]))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from ((number, node.name) for number in _numbers(node.decorator_list))
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    name = f"{node.name}::{inner.name}"
                    yield from ((number, name) for number in _numbers(inner.decorator_list))


def check_match(lines: Mapping[str, Requirement], shown: Mapping[str, object]) -> None:
    """Raise `Mismatch` unless both name the same requirements."""
    problems = [f"{key} is marked in a test and has no line" for key in shown.keys() - lines]
    problems += [f"{key} has a line and no test is marked with it" for key in lines.keys() - shown]
    if problems:
        raise Mismatch(f"{LINES.name}: " + "; ".join(sorted(problems)))


def _numbers(expressions: list[ast.expr]) -> list[str]:
    """The arguments of each `pytest.mark.requirement(...)` inside these expressions."""
    calls = [node for item in expressions for node in ast.walk(item) if isinstance(node, ast.Call)]
    return [
        str(argument.value)
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.requirement"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def _names(node: ast.Assign) -> list[str]:
    return [item.id for item in node.targets if isinstance(item, ast.Name)]


def _row(item: Requirement, tests: list[str]) -> str:
    links = "<br>".join(_link(test) for test in tests)
    return f"| {item.number} | {item.document} | {item.text} | {links} |\n"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name or Path(path).name}](../{path})"
