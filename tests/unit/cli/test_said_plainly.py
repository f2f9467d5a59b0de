"""What commands say when what they are about is not there."""

import asyncio

from tests.unit.cli.customers import Customers

from berthmaster.adapters.http.certificate import read_certificate


def test_a_stack_that_is_not_there_is_named_whatever_was_to_run_in_it(
    customers: Customers,
) -> None:
    for words in (("exec", "prod", "web"), ("run", "prod", "web", "--", "ls")):
        assert "there is no stack desk@prod" in customers.refused(*words)
    customers.add("acme")
    said = customers.refused("run", "prod/acme", "--", "ls")
    assert "name one service: berth run [STACK] SERVICE -- COMMAND" in said


def test_an_environment_that_wants_no_secret_says_so(customers: Customers) -> None:
    customers.write("compose.yaml", "services:\n  web: {image: 'registry.test/desk:v1'}\n")
    customers.write("berth.yaml", "app: desk\nenvironments: {prod: {compose: [compose.yaml]}}\n")
    assert "no Compose file asks for a secret" in customers.good("secrets", "list", "prod").out


async def test_a_port_that_nobody_listens_on_is_said_in_words() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    found = await read_certificate("127.0.0.1", port, "shop.test", 2.0)
    assert found.error == "Connection refused"
