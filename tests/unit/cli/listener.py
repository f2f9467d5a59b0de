"""Somebody who is told of alerts."""

from dataclasses import replace

from tests.unit.cli.shop import Shop


class Told:
    """What the `notify` program would get; `problem` is what it complains of."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.problem: str | None = None

    async def tell(self, text: str) -> str | None:
        self.lines.append(text)
        return self.problem


def listening(shop: Shop) -> Told:
    """Somebody who listens to this server from now on."""
    made = Told()
    shop.world.outside = replace(shop.world.outside, notifier=made)
    return made
