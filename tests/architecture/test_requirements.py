"""The requirements page says what the tests say, and its generator notices when it cannot."""

import pytest
from tests.requirements import page


def test_the_page_is_what_the_markers_say() -> None:
    assert page.PAGE.read_text() == page.render_page(), "run: python -m tests.requirements"


def test_markers_are_found_on_modules_classes_and_functions() -> None:
    source = (
        'pytestmark = [pytest.mark.docker, pytest.mark.requirement("R1")]\n'
        '@pytest.mark.requirement("R2", "R3")\n'
        "class TestShop:\n"
        '    @pytest.mark.requirement("R4")\n'
        "    async def test_sells(self): ...\n"
        '@pytest.mark.requirement("R5")\n'
        "def test_buys(): ...\n"
    )
    assert list(page.marked_in(source)) == [
        ("R1", ""),
        ("R2", "TestShop"),
        ("R3", "TestShop"),
        ("R4", "TestShop::test_sells"),
        ("R5", "test_buys"),
    ]


@pytest.mark.parametrize(
    ("lines", "shown", "said"),
    [
        ("", {"R1": []}, "R1 is marked in a test and has no line"),
        ("R1  000  It works.", {}, "R1 has a line and no test is marked with it"),
    ],
)
def test_a_marker_and_its_line_need_each_other(
    lines: str, shown: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(page.Mismatch, match=said):
        page.check_match(page.read_lines(lines), shown)


@pytest.mark.parametrize(
    "line", ["R0  000  None.", "R1  900  Unknown document.", "R1 000", "R1  000  A.\nR1  000  B."]
)
def test_a_line_in_another_form_is_refused(line: str) -> None:
    with pytest.raises(page.Mismatch):
        page.read_lines(line)


def test_lines_are_sorted_by_number() -> None:
    lines = page.read_lines("R10  000  Later.\n\n# comment\nR9  001  Earlier.")
    assert list(lines) == ["R9", "R10"]
