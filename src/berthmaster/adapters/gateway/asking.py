"""The ask responder's files: its code as one file, and the machine's public suffix list."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from berthmaster.adapters.ask.package import render_package
from berthmaster.adapters.haproxy.layout import Layout

SUFFIX_LIST: Final = Path("/usr/share/publicsuffix/public_suffix_list.dat")  # of Debian and Fedora


def write_package(layout: Layout) -> Path:
    """Put the code in place; its name says what is in it, and older ones go."""
    content = render_package()
    path = layout.ask / f"responder-{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_bytes(content)
        os.chmod(new, 0o600)
        os.replace(new, path)
    for old in layout.ask.glob("responder-*.pyz"):
        if old != path:
            old.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # without it domains are guessed, on the careful side
        shutil.copyfile(SUFFIX_LIST, layout.ask / SUFFIX_LIST.name)
    return path
