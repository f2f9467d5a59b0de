"""Names that come from outside are strict, and say what is wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berthmaster.domain.errors import InvalidName
from berthmaster.domain.names import (
    StackId,
    check_host,
    check_line,
    check_name,
    parse_stack,
    shown,
)

HOSTILE = [
    "-rf",
    "a b",
    "a\nb",
    "a;b",
    "$(id)",
    "../x",
    "a/b",
    "A",
    "\uff41",  # a full-width letter that looks like `a`
    "a" * 300,
    "",
    "a--b",
    "x\x00",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("kind", ["app", "environment", "tenant"])
def test_hostile_names_are_refused(kind: str, value: str) -> None:
    with pytest.raises(InvalidName):
        check_name(kind, value)


@pytest.mark.parametrize("value", ["/a/../b", "//", "/a//b", "a", "/a?b", "/a b", "/%2e%2e"])
def test_hostile_paths_are_refused(value: str) -> None:
    with pytest.raises(InvalidName):
        check_name("path", value)


@pytest.mark.parametrize(
    "value", ["", ".a", "a..b", "*.*.a", "a*.b", "-a.b", "a_b.c", "a b", "a" * 64]
)
def test_hostile_hosts_are_refused(value: str) -> None:
    with pytest.raises(InvalidName):
        check_host(value)


@pytest.mark.parametrize(
    "value",
    [
        "shop\u200b.test",
        "sh\u00adop.test",
        "shop\ufe0f.test",
        "\uff53hop.test",
        "a\u3002test",
        "\u0440rod.test",
    ],
)
def test_a_host_that_looks_like_another_is_refused(value: str) -> None:
    with pytest.raises(InvalidName, match="disguised"):
        check_host(value)


def test_a_host_is_lower_case_and_ascii() -> None:
    assert check_host("Müller.Example") == "xn--mller-kva.example"
    assert check_host("*.Shop.test") == "*.shop.test"
    assert check_host("東京tower.example") == "xn--tower-w91hq39l.example"


@pytest.mark.parametrize("text", ["shop@prod", "shop@prod/acme", "my-shop@stage2"])
def test_a_stack_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_stack(text)) == text


def test_the_app_may_come_from_the_folder() -> None:
    assert parse_stack("prod/acme", default_app="shop") == StackId("shop", "prod", "acme")


def test_a_stack_without_an_app_says_what_to_write() -> None:
    with pytest.raises(InvalidName, match="write APP@prod"):
        parse_stack("prod")


def test_a_tenant_cannot_read_like_a_release() -> None:
    with pytest.raises(InvalidName, match="release"):
        StackId("shop", "prod", "r7")


@given(st.text(max_size=40))
def test_no_text_makes_anything_but_a_stack_or_a_refusal(text: str) -> None:
    try:
        stack = parse_stack(text)
    except InvalidName:
        return
    assert str(stack) == text


@pytest.mark.parametrize(
    "text", ["", " ", "a\nb", "a\rb", "a\x1b[31mb", "a\x07", "a\u202eb", "\x9b2J"]
)
def test_free_text_is_one_line_that_a_terminal_does_not_obey(text: str) -> None:
    with pytest.raises(InvalidName, match="one line of printable text") as found:
        check_line("--why", text)
    assert found.value.message.isprintable()


def test_free_text_may_be_in_any_language() -> None:
    assert check_line("--why", "Überprüfung läuft: 監査") == "Überprüfung läuft: 監査"


def test_what_a_program_printed_is_shown_without_being_obeyed() -> None:
    assert shown("\x1b[31mno\x1b[0m table\tone\x1b]0;x\x07") == "no table\tone\\x1b]0;x\\x07"
