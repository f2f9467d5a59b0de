"""The fixtures of these tests."""

from tests.unit.cli.customers import customers
from tests.unit.cli.rehearsals import rehearsals
from tests.unit.cli.shop import live_shop, shop
from tests.unit.cli.stages import stages

__all__ = ["customers", "live_shop", "rehearsals", "shop", "stages"]
