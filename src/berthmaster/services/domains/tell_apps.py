"""Tells the ask responder which apps have the last word about names below their suffix."""

from berthmaster.domain.hosting import public_host
from berthmaster.ports.certificates import AppQuestion
from berthmaster.ports.outside import Outside


def tell_apps(outside: Outside) -> bool:
    """Write what the live releases say; True when that changed something."""
    questions = {
        item.stack.project: AppQuestion(item.validate_path, public_host(item), item.entrypoint)
        for item in outside.store.asked_apps()
        if item.validate_path
    }
    return outside.certificates.tell_apps(questions)
