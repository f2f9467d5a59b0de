"""A one-off is the service without what could clash with it."""

import pytest
from tests.builders import release

from berthmaster.domain.container import LABEL_JOB
from berthmaster.domain.errors import NotFound
from berthmaster.services.run_one_off import KEY, one_off_model


def test_it_has_no_name_address_or_alias_and_the_label_of_a_job() -> None:
    shop = release(7)
    only = one_off_model(shop, shop.model, "web")["services"]
    assert only.keys() == {KEY}
    assert "container_name" not in only[KEY]
    assert only[KEY]["networks"] == {"release": None, "stack": None}
    assert only[KEY]["labels"][LABEL_JOB] == "run"
    assert only[KEY]["pull_policy"] == "never"


def test_a_state_service_is_refused_with_the_ones_that_can() -> None:
    shop = release(7)
    with pytest.raises(NotFound, match="it has beat, web, worker"):
        one_off_model(shop, shop.model, "db")
