"""Server settings: defaults that work, and every mistake named with its line."""

from pathlib import Path

import pytest

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.settings import Settings, read_settings, reference


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def read(file: Path, text: str, **variables: str) -> Settings:
    file.write_text(text)
    return read_settings(file, variables)


def test_an_empty_file_means_the_documented_defaults(file: Path) -> None:
    settings = read(file, "")
    assert (settings.state_folder, settings.address_block) == (
        Path("/var/lib/berthmaster"),
        "10.201.0.0/16",
    )
    assert (settings.pool.backends, settings.pool.servers) == (1000, 4)
    assert settings.entrypoints == (
        Entrypoint("http", 80, redirect_to="https"),
        Entrypoint("https", 443, Tls.LOCAL),
        Entrypoint("stage", 8081),
    )


@pytest.mark.parametrize("line", ["acme_email='a@b.test'", "acme_directory='https://ca.test/dir'"])
def test_naming_an_acme_server_or_an_address_makes_https_use_it(file: Path, line: str) -> None:
    by_name = {item.name: item.tls for item in read(file, f"[gateway]\n{line}").entrypoints}
    assert by_name == {"http": Tls.OFF, "https": Tls.ACME, "stage": Tls.OFF}


def test_own_entrypoints_replace_the_usual_ones(file: Path) -> None:
    text = '[[entrypoints]]\nname="tunnel"\nport=8080\ntrusted_proxies=["127.0.0.1/32"]'
    expected = (Entrypoint("tunnel", 8080, trusted_proxies=("127.0.0.1/32",)),)
    assert read(file, text).entrypoints == expected


def test_steps_of_hsts_end_later_and_are_longer_one_by_one(file: Path) -> None:
    one, two = "{until='2026-12-31', seconds=300}", "{until='2027-01-31', seconds=86400}"
    found = read(file, f"[gateway]\nhsts_steps = [{one}, {two}]").gateway.hsts_steps
    assert [(step.ends_at, step.seconds) for step in found] == [
        (1_798_675_200, 300),
        (1_801_353_600, 86_400),
    ]
    with pytest.raises(InvalidSpec, match="ends later and has more seconds"):
        read(file, f"[gateway]\nhsts_steps = [{two}, {one}]")


def test_a_variable_wins_over_the_file(file: Path) -> None:
    text = 'state_folder = "/srv/a"\n[pool]\nbackends = 10\nservers = 2'
    variables = {"BERTHMASTER_STATE_FOLDER": "/srv/b", "BERTHMASTER_POOL_BACKENDS": "20"}
    settings = read(file, text, **variables)
    assert (settings.state_folder, settings.pool.backends) == (Path("/srv/b"), 20)
    assert settings.pool.servers == 2


def test_a_variable_names_the_file_which_must_then_be_there(file: Path) -> None:
    file.write_text("disk_floor_percent = 30")
    assert read_settings(environ={"BERTHMASTER_SETTINGS": str(file)}).disk_floor_percent == 30
    with pytest.raises(InvalidSpec, match="there is no settings file"):
        read_settings(environ={"BERTHMASTER_SETTINGS": f"{file}.gone"})


ENTRY = "[[entrypoints]]\nname='a'\nport=1\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\nstate_foldr = '/x'", 1, "no setting `x`"),
        ("disk_floor_percent = 5\nstate_foldr = '/x'", 2, "did you mean `state_folder`"),
        ("[pool]\nbackend = 3", 2, "did you mean `backends`"),
        ("\n[pol]\nbackends = 3", 2, "did you mean `pool`"),
        ("pool = 3", 1, "`pool` must be a table"),
        ("[pool]\nbackends = '3'", 2, "must be a whole number, not '3'"),
        ("[pool]\nbackends = true", 2, "must be a whole number"),
        ("[pool]\nbackends = 0", 2, "from 1 to 10000"),
        ("state_folder = 7", 1, "must be a text"),
        ("state_folder = 'here'", 1, "absolute"),
        ("address_block = '10.201.0.1/16'", 1, "no IPv4 block"),
        ("address_block = '8.8.0.0/16'", 1, "must be private"),
        ("address_block = '10.0.0.0/28'", 1, "does not fit"),
        ("# more\nsubnet_prefix = 12", 2, "does not fit"),
        ("docker_host = 'tcp://10.0.0.1:2375'", 1, "engine of this machine"),
        ("[gateway]\nacme_directory = 'http://ca.test'", 2, "must be https"),
        ("[gateway]\nhsts_steps = [{until='soon', seconds=3}]", 2, "must be a day, 2026-12-31"),
        ("[gateway]\nhsts_steps = [{until='2026-12-31', seconds=0}]", 2, "has more seconds"),
        ("[gateway]\nhsts_seconds=2\nhsts_steps=[{until='2026-12-31', seconds=3}]", 3, "at most 2"),
        ("[gateway]\ncontainer_prefix = '-x'", 2, "not a valid service"),
        ("[[entrypoints]]\nname = 'a'", 1, "`entrypoints.0.port` is missing"),
        (f"{ENTRY}[[entrypoints]]\nname='b'\nport=1", 6, "port 1 is that of a already"),
        (f"{ENTRY}[[entrypoints]]\nname='a'\nport=2", 5, "name a is that of a already"),
        (f"{ENTRY}tls='lokal'", 4, "one of off, local, acme"),
        (f"{ENTRY}redirect_to='b'", 4, "no entrypoint with tls"),
        (f"{ENTRY}trusted_proxies=['x']", 4, "does not appear to be an IPv4"),
        ("[[entrypoints]]\nname='a'\nport=70000", 3, "port 70000 does not exist"),
        ("[[entrypoints]]\nname='A-b'\nport=1", 2, "not a valid entrypoint"),
        ("a = 1\nb = = 2", 2, "Invalid value"),
    ],
)
def test_a_mistake_is_named_with_its_line(file: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read(file, text)
    assert refused.value.location == f"{file}:{line}"
    assert message in refused.value.message


def test_a_mistake_in_a_variable_names_the_variable(file: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"^BERTHMASTER_POOL_BACKENDS: .* whole number"):
        read(file, "", BERTHMASTER_POOL_BACKENDS="many")
    with pytest.raises(InvalidSpec, match="did you mean BERTHMASTER_POOL_BACKENDS"):
        read(file, "", BERTHMASTER_POOL_BACKEND="5")


def test_other_variables_of_the_prefix_are_left_alone(file: Path) -> None:
    assert read(file, "", BERTHMASTER_FAILPOINT="x") == read(file, "")


def test_every_setting_has_a_sentence_for_the_reference() -> None:
    keys = [key for key, _, about in reference() if about.endswith(".")]
    assert keys == [key for key, _, _ in reference()]
    assert {"state_folder", "pool.backends", "gateway.hsts_seconds", "entrypoints"} <= set(keys)
