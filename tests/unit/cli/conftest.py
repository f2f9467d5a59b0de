"""The fixtures of these tests."""

from tests.unit.cli.shop import live_shop, shop

__all__ = ["live_shop", "shop"]
