"""Which backups stay: the newest of days and weeks, and the images that they need."""

from datetime import UTC, datetime, timedelta

from berthmaster.domain.backup import Copy, CopyKind, Keep, copies_to_forget

FIRST = datetime(2026, 3, 2, 3, 15, tzinfo=UTC)  # a Monday


def backup(day: int, kind: CopyKind = CopyKind.WHOLE, *, images: tuple[str, ...] = ()) -> Copy:
    return Copy(f"b{day}", kind, FIRST + timedelta(days=day), images)


def forgotten(copies: list[Copy], daily: int = 7, weekly: int = 4) -> list[str]:
    return [item.id for item in copies_to_forget(copies, Keep(daily, weekly))]


def test_days_and_weeks_are_kept_and_the_rest_goes() -> None:
    copies = [backup(day) for day in range(28)]
    kept = {item.id for item in copies} - set(forgotten(copies, daily=3, weekly=3))
    assert kept == {"b27", "b26", "b25", "b20", "b13"}


def test_the_newest_of_a_day_is_the_one_that_stays() -> None:
    early, late = backup(0), Copy("late", CopyKind.WHOLE, FIRST + timedelta(hours=9))
    assert forgotten([early, late]) == ["b0"]


def test_the_newest_whole_one_stays_whatever_is_asked_for() -> None:
    assert forgotten([backup(0), backup(1)], daily=0, weekly=0) == ["b0"]


def test_a_partial_one_goes_when_a_whole_one_is_newer() -> None:
    partial = backup(1, CopyKind.PARTIAL)
    assert forgotten([backup(0), partial]) == []
    assert forgotten([backup(0), partial, backup(2)]) == ["b1"]


def test_an_image_goes_with_the_last_backup_that_needs_it() -> None:
    image = Copy("i", CopyKind.IMAGE, FIRST, ("sha256:1",))
    old, new = backup(0, images=("sha256:1",)), backup(1)
    assert forgotten([image, old, new]) == []
    assert forgotten([image, old, new], daily=1, weekly=1) == ["i", "b0"]
