"""The names that a restore makes."""

from berthmaster.planner.putback import NAME_BYTES, Restore, is_kept

RESTORE = Restore("before-r7", "shop-prod-db-1", ("shop",), "20261121_041200")


def test_a_kept_database_says_until_when_it_was_used() -> None:
    assert RESTORE.kept("shop") == "shop_until_20261121_041200"
    assert is_kept(RESTORE.kept("shop"))
    assert not is_kept("shop_until_then")


def test_long_names_fit_and_stay_apart() -> None:
    long = ["\u00fc" * 31 + end for end in "ab"]
    names = [RESTORE.fresh(name) for name in long]
    assert all(len(name.encode()) <= NAME_BYTES for name in names)
    assert len(set(names)) == 2
