"""`berth -S all --json`: an error has one shape, wherever it was raised."""

import json

from berthmaster.cli import several
from berthmaster.cli.failure import error_object
from berthmaster.domain.errors import BerthmasterError, NotFound, OutsideError


def raised_here(error: BerthmasterError) -> dict[str, object]:
    answer = several.Answer("web1", error.exit_code, error=error)
    found = json.loads(json.dumps(several._as_json(answer)))
    assert isinstance(found, dict)
    return found


def printed_there(error: BerthmasterError) -> dict[str, object]:
    answer = several.Answer("web1", error.exit_code)
    answer.out.extend(json.dumps({"error": error_object(error)}).encode())
    return several._as_json(answer)


def test_what_was_raised_here_looks_as_what_was_printed_there() -> None:
    for error in (
        NotFound("there is no stack", next_command="berth status"),
        OutsideError("it does not answer", subject="web1", retryable=True),
    ):
        assert raised_here(error) == printed_there(error)
