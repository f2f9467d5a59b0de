"""Three hundred hostile values, the same in every run: good names broken by one thing or by many.

Each holds at least one character that no name, tag, host or reference may hold, so that all of them
have to be refused wherever a name is wanted.
"""

import random
from typing import Final

SEED: Final = 20_261_121
COUNT: Final = 300
_GOOD: Final = (
    "prod",
    "shop@prod",
    "shop@prod/acme",
    "v1",
    "r7",
    "d41",
    "web",
    "a.test",
    "on",
    "7",
)
_BREAKING: Final = (
    *";|&$`<>'\"\\()!~*?[]{}#^ \t\n\r\x01\x07\x08\x0b\x1b\x7f",
    *("\u00a0", "\u2028", "\u200b", "\u202e", "\ufeff", "\u0430", "\u0661", "\uff0e", "\u0301"),
    *("\U0001f600", "\u00df", "\u0130", "\u212a", "\ue000", "\ufffd"),
)
_PIECES: Final = (
    *(
        "$(id)",
        "`id`",
        ";id",
        "|id",
        "&&id",
        "\n--privileged",
        "\r\nHost: x",
        "'--",
        '"; ',
        "${PATH}",
    ),
    *(
        "\x1b]0;x\x07",
        "\x1b[2J",
        "<!--",
        "{{7*7}}",
        "%00;",
        "../;",
        "\\..\\",
        " -v /:/host",
        "~root/",
    ),
)


def generated() -> tuple[str, ...]:
    """The values, none twice."""
    dice = random.Random(SEED)
    found: dict[str, None] = {}
    while len(found) < COUNT:
        found.setdefault(_broken(dice))
    return tuple(found)


def _broken(dice: random.Random) -> str:
    text = dice.choice(_GOOD)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        place = dice.randint(0, len(text))
        piece = dice.choice(_BREAKING if dice.random() < 0.7 else _PIECES)
        text = text[:place] + piece * dice.choice((1, 1, 1, 1, 2, 40)) + text[place:]
    return text
