"""A nested JSON value as one line for each leaf, for comparing two of them; pure.

`{"a": {"b": 1}}` is `{"a.b": "1"}`. Lists are compared as a whole: their order may mean something.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def flat(value: Any, at: str = "") -> dict[str, str]:
    """Text by dotted path."""
    return dict(_leaves(value, at))


def _leaves(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key in sorted(value, key=str):
            yield from _leaves(value[key], f"{at}.{key}" if at else str(key))
    elif value is not None and value != {} and value != []:
        yield at, value if isinstance(value, str) else json.dumps(value, sort_keys=True)
