"""The responder as one file that any Python runs: what the gateway's container gets.

Deterministic, so that the same code is the same file. Runs on the standard library alone.
"""

import io
import zipfile
from importlib import resources
from typing import Final

MODULES: Final = ("table", "suffixes", "budget", "deciding", "serving")
_START: Final = (1980, 1, 1, 0, 0, 0)
_MAIN: Final = "from berthmaster.adapters.ask.serving import main\n\nmain()\n"


def render_package() -> bytes:
    """A zip file with a main module, as `zipapp` makes it."""
    here = resources.files("berthmaster.adapters.ask")
    files = {
        "__main__.py": _MAIN,
        "berthmaster/__init__.py": "",
        "berthmaster/adapters/__init__.py": "",
        "berthmaster/adapters/ask/__init__.py": "",
    }
    for name in MODULES:
        files[f"berthmaster/adapters/ask/{name}.py"] = (here / f"{name}.py").read_text()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, _START), text)
    return made.getvalue()
