"""What a password needs beside not being a common one."""

import re

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

LONGEST = 128
CLASSES = {
    "an upper-case letter": "[A-Z]",
    "a lower-case letter": "[a-z]",
    "a digit": "[0-9]",
    "a sign": "[^A-Za-z0-9]",
}


class FourClasses:
    """At most 128 characters of four classes."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Name everything that is missing."""
        missing = [name for name, pattern in CLASSES.items() if not re.search(pattern, password)]
        if missing:
            raise ValidationError(f"The password needs {', '.join(missing)}.", code="password_classes")
        if len(password) > LONGEST:
            raise ValidationError(f"The password has more than {LONGEST} characters.", code="password_too_long")

    def get_help_text(self) -> str:
        """Say it beforehand."""
        return f"At most {LONGEST} characters, with {', '.join(CLASSES)}."
