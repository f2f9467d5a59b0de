"""What a repository elsewhere said of a folder that was sent here without it."""

import json
from pathlib import Path
from typing import Any, Final

from berthmaster.ports.checkout import Checkout

FACTS_FILE: Final = "facts.json"
TREES: Final = "trees"


def facts_of(folder: Path) -> dict[str, Any] | None:
    """What was sent with the folder; None for a folder that nobody sent."""
    if folder.parent.parent.name != TREES:
        return None
    try:
        found = json.loads((folder.parent / FACTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def checkout_of(facts: dict[str, Any]) -> Checkout | None:
    """The checkout as it was when the folder was sent."""
    if "changed" not in facts:
        return None
    return Checkout(
        tuple(facts["changed"]), tuple(facts.get("untracked", ())), facts.get("problem") or ""
    )


def render_facts(revision: str | None, checkout: Checkout | None) -> dict[str, Any]:
    """What is sent with a folder."""
    facts: dict[str, Any] = {"revision": revision}
    if checkout is not None:
        facts |= {
            "changed": list(checkout.changed),
            "untracked": list(checkout.untracked),
            "problem": checkout.problem,
        }
    return facts
