"""The fixtures of these tests."""

from tests.unit.cli.shop import live_shop, shop
from tests.unit.cli.stages import stages

__all__ = ["live_shop", "shop", "stages"]
