"""The checklists of the source documents, as the example has them, can be run."""

import re
from pathlib import Path

import pytest

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.berthfile.compose_files import read_compose_files
from berthmaster.domain.checklist import Asked, Checklist, Item, Query, Running, Setting

EXAMPLE = Path(__file__).parents[4] / "examples" / "statuswatch"
APPENDIX_A = {"pre": 10, "deploy": 6, "post": 8}


def read(name: str) -> Checklist:
    return BerthfileSpecs().checklist(EXAMPLE / "checklists" / f"{name}.yaml")


def services_of(item: Item) -> set[str]:
    match item.how:
        case Asked(smoke):
            return {smoke.service} if smoke.service else set()
        case Running(services):
            return set(services)
        case Query(service=name) | Setting(service=name):
            return {name}
    return set()


def test_appendix_a_has_its_24_items_in_its_order() -> None:
    found = read("001-appendix-a")
    wanted = [f"{part}-{at}" for part, most in APPENDIX_A.items() for at in range(1, most + 1)]
    assert [re.match(r"\w+-\d+", item.id)[0] for item in found.items] == wanted  # type: ignore[index]


def test_the_four_validations_of_document_000_are_all_there() -> None:
    found = {item.id.partition("-")[0] for item in read("000-validation").items}
    assert found == {"smoke", "domains", "parity", "rollback"}


@pytest.mark.parametrize("name", ["000-validation", "001-appendix-a"])
def test_every_item_asks_a_service_that_there_is_or_says_why_it_does_not(name: str) -> None:
    (compose,) = read_compose_files(EXAMPLE, ["compose.yaml"])
    known = set(compose.services)
    for item in read(name).items:
        assert services_of(item) <= known, item.id
        assert item.how or item.outside or item.manual, item.id
