"""The stored models of the source systems are what Compose prints."""

import pytest
from tests.systems import STACKS, load_model, render_with_compose


@pytest.mark.docker
@pytest.mark.requirement("R368")
@pytest.mark.parametrize(("system", "environment"), STACKS)
def test_the_stored_model_is_what_compose_prints(system: str, environment: str) -> None:
    assert load_model(system, environment) == render_with_compose(system, environment)
