"""`python -m tests.reference` writes `docs/reference`."""

from tests.reference.page import FOLDER, PAGES

for name, render in PAGES.items():
    (FOLDER / name).write_text(render())
