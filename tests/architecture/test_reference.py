"""The reference pages are what the code says."""

import pytest
from tests.reference.page import FOLDER, PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_made_from_the_code(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run: python -m tests.reference"
