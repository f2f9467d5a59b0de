"""The hash that PostgreSQL keeps of a password."""

import base64

from berthmaster.adapters.postgres.passwords import verifier

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")  # of the example in RFC 7677


def test_it_is_the_one_of_the_rfc() -> None:
    """RFC 7677, section 3: user `user`, password `pencil`; keys worked out from its exchange."""
    assert verifier("pencil", SALT) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_the_password_is_not_in_it_and_the_salt_is_never_the_same() -> None:
    assert "pencil" not in verifier("pencil")
    assert verifier("pencil") != verifier("pencil")


def test_letters_beyond_ascii_are_prepared_as_the_server_does_it() -> None:
    assert verifier("I\u00adX", SALT) == verifier("IX", SALT)
    assert verifier("\u2168", SALT) == verifier("IX", SALT)
