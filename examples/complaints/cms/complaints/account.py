"""How a complaint names the customer's account. v1 takes whatever people write."""

from typing import Final

from cms.core.database import Row

SHOWN: Final = "account_ref AS account"
LABEL: Final = "Account"


def columns(text: str) -> Row:
    """The columns that keep it."""
    return {"account_ref": text}
