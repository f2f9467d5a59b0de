"""A gateway that does not start says what is in its way."""

import pytest

from berthmaster.adapters.gateway.errors import ConfigurationRefused, ProcessDidNotStart

ROUTER = (
    "[NOTICE]   (1) : haproxy version is 2.6.12\n"
    "[ALERT]    (1) : Starting frontend http: cannot bind socket (Address already in use)"
    " for [0.0.0.0:80]\n[ALERT]    (1) : [/usr/sbin/haproxy.main()] Some protocols failed to start"
)
EDGE = (
    "Error: loading initial config: loading new config: http app module: start: listening on"
    " :443: listen tcp :443: bind: address already in use"
)


@pytest.mark.parametrize(
    ("process", "log", "port"),
    [("router", ROUTER, 80), ("edge", EDGE, 443)],
    ids=["router", "edge"],
)
@pytest.mark.parametrize("kind", [ConfigurationRefused, ProcessDidNotStart])
def test_a_port_that_is_taken_is_named(
    kind: type[ConfigurationRefused | ProcessDidNotStart], process: str, log: str, port: int
) -> None:
    error = kind(process, log)
    assert error.message.startswith(f"port {port} is another program's: the {process} ")
    assert "[[entrypoints]]" in error.message
    assert "\n" not in error.message
    assert error.next_command == f"ss -ltnp 'sport = :{port}'"


def test_what_nobody_understands_is_shown_as_it_is() -> None:
    error = ProcessDidNotStart("router", "cannot bind UNIX socket (Address already in use)")
    assert "cannot bind UNIX socket" in error.message
    assert error.next_command is None
