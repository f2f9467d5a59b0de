"""How a complaint names the customer's account. v2 keeps a number, so that two spellings are one account.

The old column is written too, as v1 does: a rollback finds what it knows.
"""

import re
from typing import Final

from fastapi import HTTPException

from cms.core.database import Row

# NOTE: v1 may still file while v2 starts; its rows have no number yet.
SHOWN: Final = "coalesce('ACC-' || lpad(account_number::text, 6, '0'), account_ref) AS account"
LABEL: Final = "Account number"
_NUMBER: Final = re.compile(r"(?:ACC-)?(\d{1,12})")


def columns(text: str) -> Row:
    """The columns that keep it."""
    if not text:
        return {"account_ref": "", "account_number": None}
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise HTTPException(422, "The account number has digits only, with or without ACC- in front.")
    return {"account_ref": text, "account_number": int(found[1])}
