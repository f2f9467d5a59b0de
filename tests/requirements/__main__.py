"""`python -m tests.requirements` writes `docs/requirements.md`."""

from tests.requirements.page import PAGE, render_page

PAGE.write_text(render_page())
