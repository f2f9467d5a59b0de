"""Takes secrets out of text that leaves the process: log lines, error reports."""

import re

HIDDEN = "[redacted]"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9_]+",  # Stripe's keys
        r"\bwhsec_[A-Za-z0-9_+/=-]+",
        r"\bSG\.[A-Za-z0-9_.-]{16,}",  # SendGrid's
        r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",  # a JSON web token
        r"(://)[^/\s:@'\"]+(?::[^/\s@'\"]*)?(?=@)",  # user and password of a URL, the key of a Sentry DSN
        r"(\bbearer )[^\s'\"]+",
        r"(\btoken )[0-9a-f]{20,}\b",
        r"([?&](?:token|key)=)[^&\s'\"]+",
        r"(\bpassword[=:]\s*)[^&\s,'\"]+",
        r"(\bpassword['\"]: )['\"][^'\"]*['\"]",
    )
)


def redact(text: str) -> str:
    """Return the text without what looks like a secret."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda found: (found[1] if found.re.groups else "") + HIDDEN, text)
    return text


def redact_all(value: object) -> object:
    """Return the same structure with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redact_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(item) for item in value]
    return value
