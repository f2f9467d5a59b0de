"""Reading `berth.yaml`: defaults, short forms, and errors that say where and what instead."""

import gc
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml.nodes import ScalarNode

from berthmaster.adapters.berthfile import BerthfileSpecs, berth_schema, render_schema
from berthmaster.adapters.berthfile.document import parse_document
from berthmaster.adapters.berthfile.read import parse_berthfile
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.secret import Format, SecretKind
from berthmaster.domain.spec import AppSpec, HttpSource, JobMoment, Role, RowSource

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"
EXAMPLE = (REFERENCE / "berth.example.yaml").read_text()
NAMED = ("compose.yaml", "docker-compose.production.yml", ".env.prod", "secrets/prod/key")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMED:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def read(folder: Path, text: str) -> AppSpec:
    (folder / "berth.yaml").write_text(text)
    return BerthfileSpecs().read(folder)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(InvalidSpec) as caught:
        read(folder, text)
    return caught.value.message


def test_the_example_of_every_section_is_valid(folder: Path) -> None:
    spec = parse_berthfile(EXAMPLE, folder)

    assert spec.environments["prod"].hosts[1] == "*.statuswatch.example.com"
    assert spec.services["worker"].drain_seconds == 300
    assert spec.services["beat"].role is Role.SINGLE
    assert spec.jobs[0].command == ("python", "manage.py", "migrate_schemas", "--noinput")
    assert (spec.jobs[0].is_compatible, spec.jobs[0].is_migration) == (True, True)
    assert spec.jobs[1].when is JobMoment.MANUAL
    assert spec.smoke[0].path == "/health/"
    assert spec.secrets["db_password"].kind is SecretKind.PASSWORD
    assert spec.secrets["db_cert"].hosts == ("db",)
    assert spec.config.formats["STATUS_URL"] is Format.HTTPS_URL


def test_the_example_shows_every_key_that_there_is(folder: Path) -> None:
    shown = set(parse_document(EXAMPLE, "x").data)

    assert shown - {"x-owner"} == set(berth_schema()["properties"])


def test_the_example_fits_the_schema_that_editors_read() -> None:
    data = parse_document(EXAMPLE, "x").data
    data["jobs"]["migrate"] |= {"compatible": True, "migration": True}  # YAML 1.1 `yes` is true

    Draft202012Validator.check_schema(berth_schema())
    assert list(Draft202012Validator(berth_schema()).iter_errors(data)) == []


def test_the_schema_knows_no_other_keys() -> None:
    data = {"app": "a", "environments": {"prod": None}, "route": []}

    assert list(Draft202012Validator(berth_schema()).iter_errors(data))


def test_the_committed_schema_is_the_one_of_the_model() -> None:
    assert (REFERENCE / "berth.schema.json").read_text() == render_schema()
    assert json.loads(render_schema())["title"] == "Berthfile"


def test_three_lines_are_enough_and_the_rest_has_defaults(folder: Path) -> None:
    spec = read(folder, "app: shop\nenvironments: {prod: , dev: }\n")

    prod = spec.environments["prod"]
    assert (prod.compose, prod.env_file, prod.secrets) == (
        ("compose.yaml",),
        (".env.prod",),
        "secrets/prod",
    )
    assert (prod.entrypoint, prod.is_strict) == ("https", True)
    assert not spec.environments["dev"].is_strict
    assert spec.release_variable == "IMAGE_TAG"


@pytest.mark.parametrize("short", ["docker-compose.production.yml", "[compose.yaml]", "null", ""])
def test_an_environment_may_be_written_short(folder: Path, short: str) -> None:
    assert read(folder, f"app: shop\nenvironments:\n  prod: {short}\n").environments["prod"].compose


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "app: a\nroute: []\nenvironments: {prod: }",
            "berth.yaml:2: unknown key `route`, did you mean `routes`?",
        ),
        (
            "app: a\nenvironments:\n  prod:\n    hostz: [x]",
            "berth.yaml:4: unknown key `hostz`, did you mean `hosts`?",
        ),
        (
            "app: a\nenvironments: {prod: }\nservices:\n  web:\n    drian: 3s",
            "berth.yaml:5: unknown key `drian`, did you mean `drain`?",
        ),
        (
            "app: a\nenvironments: {prod: }\nservices:\n  web: {role: route}",
            "not 'route', did you mean `routed`?",
        ),
        (
            "app: a\nenvironments: {prod: }\nroutes:\n- {path: /, service: web, port: 70000}",
            "berth.yaml:4: `routes[0].port`: should be less than or equal to 65535, not 70000",
        ),
        (
            "app: a\nenvironments: {prod: }\nroutes:\n- {path: /../x, service: w, port: 1}",
            "not a valid path",
        ),
        (
            "app: a\nenvironments: {prod: }\nretention: {warm: soon}",
            "write `30s`, `10m` or `1h30m`",
        ),
        (
            "app: a\nenvironments: {prod: {hosts: [a.test, '*.b.test']}}\nroutes:\n"
            "- {path: /, service: w, port: 1, hosts: [x.b.test, c.test]}",
            "berth.yaml:4: c.test is a host of no environment; they have: *.b.test, a.test",
        ),
        ("app: a\nenvironments: {}", "`environments` must not be empty"),
        ("environments: {prod: }", "`app` is missing"),
        ("app: -x\nenvironments: {prod: }", "berth.yaml:1: `app`: '-x' is not a valid app"),
        ("app: a\nenvironments: {Prod: }", "berth.yaml:2: "),
        ("app: a\nenvironments: {prod: nope.yaml}", "berth.yaml:2: no such file: nope.yaml"),
        ("app: a\nenvironments: {prod: ../compose.yaml}", "stays inside its folder"),
        ("app: a\nenvironments: {prod: /etc/passwd}", "stays inside its folder"),
        ("app: a\napp: b", "berth.yaml:2: `app` is written twice"),
        ("app: [", "berth.yaml:1: not valid YAML"),
        ("- a", "berth.yaml:1: it must be a mapping"),
        ("", "berth.yaml:1: it must be a mapping"),
        (
            "app: a\nenvironments: {prod: }\nroutes: [{path: /a, service: w, port: 1},\n"
            " {path: /a/, service: v, port: 1}]",
            "`/a/` is already answered by berth.yaml:3",
        ),
        (
            "app: a\nenvironments: {prod: }\nroutes: [{path: /, service: w, port: 1}]\n"
            "sites:\n  s: {folder: d}",
            "berth.yaml:5: `/` is already answered by berth.yaml:3",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder: Path, text: str, wanted: str) -> None:
    assert wanted in refused(folder, text)


def test_all_problems_are_told_at_once(folder: Path) -> None:
    message = refused(folder, "app: A\nenvironments: {prod: }\nsmok: []\nrotes: []")

    assert [line.split(" ")[0] for line in message.splitlines()] == [
        "berth.yaml:1:",
        "berth.yaml:3:",
        "berth.yaml:4:",
    ]


def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "link.yaml").symlink_to("/etc/passwd")

    assert "leads out of the folder" in refused(folder, "app: a\nenvironments: {prod: link.yaml}")


def test_files_that_only_one_server_has_are_not_needed_to_read_the_rest(folder: Path) -> None:
    text = "app: shop\nenvironments:\n  prod: {env_file: .env.gone, secrets: gone}"
    spec = read(folder, text)

    with pytest.raises(InvalidSpec, match=r"\.env\.gone: this env_file of berth\.yaml is missing"):
        BerthfileSpecs().env_values(folder, spec.environments["prod"].env_file)
    with pytest.raises(InvalidSpec, match="gone: the folder of prod's secrets is missing"):
        BerthfileSpecs().secret_files(spec, "prod")


def test_settings_for_a_service_that_does_not_exist_are_refused(folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {web: {image: x}, db: {image: y}}")
    text = (
        "app: shop\nservices:\n  wbe: {role: routed}\nenvironments:\n  prod:\n"
        "    replicas: {wen: 2}\n    policy:\n      allow: [{service: w, rule: build, why: why}]"
    )

    assert refused(folder, text).splitlines() == [
        "berth.yaml:3: no Compose file has a service `wbe`, did you mean `web`?",
        "berth.yaml:6: no Compose file has a service `wen`, did you mean `web`?",
        "berth.yaml:8: no Compose file has a service `w`, did you mean `web`?",
    ]


def test_a_reason_that_a_terminal_would_obey_is_refused(folder: Path) -> None:
    allow = "app: shop\nenvironments:\n  prod: {{policy: {{allow: [{{check: debug, why: {}}}]}}}}"
    assert "one line of printable text" in refused(folder, allow.format('"see \\e[2Jhere"'))
    spec = read(folder, allow.format('"two\n      lines"'))
    assert "'two lines'" in repr(spec.environments["prod"])


def test_a_broken_compose_file_of_another_environment_does_not_stop_reading(folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: [")

    assert read(folder, "app: shop\nenvironments: {prod: }\nservices: {web: {}}").services


def test_own_keys_are_allowed_everywhere(folder: Path) -> None:
    text = "x-a: 1\napp: shop\nenvironments:\n  prod: {x-note: [1]}\nservices: {web: {x-b: {}}}"

    assert read(folder, text).app == "shop"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: &a [1]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a]\n" for n in range(9)), None),
        (
            "a: &a [x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{b}: &{b} [{','.join(['*' + a] * 8)}]\n"
                for a, b in zip("abcdef", "bcdefg", strict=True)
            ),
            "aliases expand to more than",
        ),
        ("a: " + "[" * 100 + "]" * 100, "nested deeper than 40 levels"),
        ("a: " + "[" * 20000, "nested deeper than 40 levels"),
        ("a: &a [*a]", "nested deeper than 40 levels"),
        ("a: " + "x" * 1_000_001, "larger than 1000 kB"),
        ("a: \x00", "not valid YAML"),
        ("? {a: b}\n: c", "a key must be plain text"),
    ],
)
def test_hostile_yaml_is_refused_politely(text: str, wanted: str | None) -> None:
    if wanted is None:
        assert parse_document(text, "f").data["b0"] == [[1]] * 4
        return
    with pytest.raises(InvalidSpec, match=wanted):
        parse_document(text, "f")


def test_a_tag_builds_no_object() -> None:
    text = "a: !!python/object/apply:os.system [id]\nb: !reset null\nc: !override [1]"

    assert parse_document(text, "f").data == {"a": ["id"], "c": [1]}


def test_nothing_of_a_file_is_kept_when_it_was_read() -> None:
    before = count_scalar_nodes()
    parse_document("a: 1\nb: [two, 3.0, yes]", "f")
    assert count_scalar_nodes() == before


def count_scalar_nodes() -> int:
    gc.collect()
    return sum(isinstance(item, ScalarNode) for item in gc.get_objects())


def test_a_folder_without_berth_yaml_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec) as caught:
        BerthfileSpecs().read(tmp_path)

    assert caught.value.next_command == "berth init"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("db: pasword", "password"),
        ("db: {lenght: 20}", "length"),
        ("db: {length: 4}", "16"),
        ("db: {format: stripe_life}", "stripe_live"),
        ("../db: password", "is not a valid secret"),
    ],
)
def test_what_a_secret_cannot_be_is_refused_with_its_line(
    folder: Path, line: str, complaint: str
) -> None:
    message = refused(folder, f"app: a\nenvironments: {{prod: compose.yaml}}\nsecrets:\n  {line}\n")

    assert message.startswith("berth.yaml:4: ")
    assert complaint in message


SOURCE = "app: shop\nenvironments: {prod: {compose: [compose.yaml]}}\ndomains:\n  source: "


def test_rows_of_domains_come_from_a_table_or_over_http(folder: Path) -> None:
    found = read(folder, SOURCE + "{service: web, path: /api/domains/, token: domains_token}\n")
    assert found.domains.source == HttpSource("web", "/api/domains/", "domains_token")
    path = "path: /api/domains/, token: domains_token, repair: /api/domains/repair/"
    found = read(folder, SOURCE + f"{{service: web, {path}}}\n")
    assert isinstance(found.domains.source, HttpSource)
    assert found.domains.source.repair == "/api/domains/repair/"
    found = read(folder, SOURCE + "{service: db, table: names}\n")
    assert isinstance(found.domains.source, RowSource)
    assert found.domains.source.read.endswith("FROM names ORDER BY id")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{service: web, path: /api/domains/}", "stand together"),
        ("{service: web, token: domains_token}", "stand together"),
        ("{service: web, path: /a, token: t, read: SELECT 1}", "no `read`"),
        ("{service: db, repair: /a}", "`repair` stands with `path`"),
    ],
)
def test_a_source_is_one_of_the_two(folder: Path, source: str, what: str) -> None:
    assert what in refused(folder, SOURCE + source + "\n")
