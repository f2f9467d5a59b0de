"""Each image of images/ is started and spoken to, as a Compose file would use it."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

VERSIONS = {
    "base": "12",
    "python": "3.11",
    "postgres": "15",
    "mariadb": "10.11",
    "redis": "7",
    "haproxy": "2.6",
    "caddy": "2.6",
    "nginx": "1.22",
    "registry": "2",
    "traefik": "3.7",
}


class Container:
    """A running container of one test."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    @property
    def address(self) -> str:
        """Of now: one that was stopped may find its last one taken when it starts again."""
        return inspect(self.identity, "{{.NetworkSettings.IPAddress}}")

    def run(self, *command: str, stdin: str = "") -> str:
        return docker("exec", "-i", self.identity, *command, stdin=stdin)

    def log(self) -> str:
        done = subprocess.run(
            ["docker", "logs", self.identity], capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    def get(self, path: str = "/", port: int = 80, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, port, timeout=60)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def await_port(self, port: int) -> None:
        def listens() -> bool:
            with socket.socket() as client:
                return client.connect_ex((self.address, port)) == 0

        await_true(listens, self)


def docker(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def inspect(identity: str, template: str) -> str:
    return docker("inspect", "--format", template, identity)


def image(name: str) -> str:
    return f"berthmaster/{name}:{VERSIONS[name]}"


def await_true(condition: Callable[[], bool], container: Container) -> None:
    deadline = time.monotonic() + 120  # databases are made on busy disks, too
    while not condition():
        assert time.monotonic() < deadline, container.log()
        time.sleep(0.05)


def has_ended(container: Container) -> bool:
    """Ask to end, gracefully, and again: HAProxy's master of 2.6 loses a signal that comes while it
    starts (1 of 20 that were sent at the first answer), so `docker stop` would wait in vain.
    """
    command = ["docker", "kill", "--signal", "USR1", container.identity]
    subprocess.run(command, capture_output=True, check=False)  # it fails once there is nobody
    return inspect(container.identity, "{{.State.Running}}") == "false"


def await_postgres(container: Container) -> None:
    def answers() -> bool:
        done = subprocess.run(
            ["docker", "exec", container.identity, "pg_isready", "-q", "-h", "127.0.0.1"],
            check=False,
        )
        return done.returncode == 0

    await_true(answers, container)


Start = Callable[..., Container]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[str] = []

    def start_one(name: str, *arguments: str, options: tuple[str, ...] = ()) -> Container:
        label = ("--label", "berthmaster.test=images")
        identity = docker("run", "--detach", *label, *options, image(name), *arguments)
        started.append(identity)
        return Container(identity)

    yield start_one
    if started:
        docker("rm", "--force", "--volumes", *started)


@pytest.mark.parametrize("name", VERSIONS)
def test_every_image_says_which_it_is(name: str) -> None:
    assert inspect(image(name), '{{index .Config.Labels "berthmaster.image"}}') == name


def test_python_is_slim_and_its_pip_needs_no_flags() -> None:
    script = "python -V; id -u; python -m venv /tmp/v && pip --version; ! command -v curl wget gcc"
    run = ("run", "--rm", "--user", "app", image("python"), "sh", "-ec", script)
    version, user, pip = docker(*run).splitlines()
    assert (version[:11], user, pip[:4]) == ("Python 3.11", "10001", "pip ")


def test_postgres_makes_the_database_the_environment_asks_for(start: Start, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "init.sql").write_text("create table t (n int); insert into t values (7);")
    (tmp_path / "init.sh").write_text('psql -U "$POSTGRES_USER" -d shop -c "create table u ()"')
    options = (
        *("-e", "POSTGRES_USER=owner", "-e", "POSTGRES_DB=shop"),
        *("-e", "POSTGRES_PASSWORD_FILE=/run/password", "-v", f"{tmp_path}/password:/run/password"),
        *("-v", f"{tmp_path}/init.sql:/docker-entrypoint-initdb.d/1.sql"),
        *("-v", f"{tmp_path}/init.sh:/docker-entrypoint-initdb.d/2.sh"),
    )
    server = start("postgres", "postgres", "-c", "max_connections=33", options=options)
    await_postgres(server)
    ask = "select n, current_setting('max_connections'), to_regclass('u') from t"
    url = f"postgresql://owner:secret@{server.address}/shop"
    assert server.run("psql", "-Atc", ask, url) == "7|33|u"
    assert server.run("stat", "-c", "%u", "/proc/1").splitlines() == ["999"]


def test_postgres_keeps_its_data_and_stops_at_once(start: Start) -> None:
    server = start("postgres", options=("-e", "POSTGRES_PASSWORD=secret"))
    await_postgres(server)
    server.run("psql", "-U", "postgres", "-c", "create table kept ()")
    dump = "pg_dump -U postgres -Fc -f /tmp/d && createdb -U postgres copy"
    server.run("sh", "-ec", f"{dump} && pg_restore -U postgres -d copy /tmp/d")
    docker("stop", "--time", "60", server.identity)
    assert inspect(server.identity, "{{.State.ExitCode}}") == "0"
    docker("start", server.identity)
    await_postgres(server)
    assert "kept" in server.run("psql", "-U", "postgres", "-c", r"\dt", "copy")


def test_postgres_without_a_password_says_what_to_set() -> None:
    done = subprocess.run(
        ["docker", "run", "--rm", image("postgres")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "POSTGRES_PASSWORD" in done.stderr


def test_mariadb_makes_the_database_the_environment_asks_for(start: Start, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("it's secret\n")
    (tmp_path / "root").chmod(0o600)  # only root may read it
    (tmp_path / "first.sql").write_text("CREATE TABLE made (n int);")
    settings = {"ROOT_PASSWORD_FILE": "/run/root", "DATABASE": "my_shop", "USER": "shop"}
    options = [word for key, value in settings.items() for word in ("-e", f"MARIADB_{key}={value}")]
    options += ["-e", "MYSQL_PASSWORD=o'wn", "-v", f"{tmp_path}/root:/run/root:ro"]
    options += ["-v", f"{tmp_path}/first.sql:/docker-entrypoint-initdb.d/first.sql:ro"]
    server = start("mariadb", "--max-connections=33", options=tuple(options))
    server.await_port(3306)
    far = ("mariadb", f"-h{server.address}", "-BN")
    assert server.run(*far, "-ushop", "-po'wn", "my_shop", "-eSHOW TABLES") == "made"
    asked = "-eSELECT @@max_connections, current_user()"
    assert server.run(*far, "-uroot", "-pit's secret", asked) == "33\troot@%"
    docker("stop", server.identity)
    docker("start", server.identity)
    server.await_port(3306)
    assert server.run("mariadb", "-ushop", "-po'wn", "my_shop", "-BN", "-eSHOW TABLES") == "made"


def test_redis_answers_its_neighbours_and_saves_on_stop(start: Start) -> None:
    server = start("redis", "redis-server", "--save", "60 1")
    server.await_port(6379)
    assert server.run("redis-cli", "-h", server.address, "set", "k", "v") == "OK"
    assert server.run("stat", "-c", "%U", "/proc/1") == "redis"
    docker("stop", "--time", "60", server.identity)
    docker("start", server.identity)
    server.await_port(6379)
    assert server.run("redis-cli", "get", "k") == "v"


def test_haproxy_runs_lua_and_reports_a_bad_configuration(start: Start, tmp_path: Path) -> None:
    (tmp_path / "name.lua").write_text(
        'core.register_action("name", {"http-req"}, function(txn) txn:set_var("txn.n", "lua") end)'
    )
    (tmp_path / "haproxy.cfg").write_text(
        "global\n lua-load /usr/local/etc/haproxy/name.lua\n user haproxy\n"
        "defaults\n mode http\n timeout client 5s\n timeout connect 5s\n timeout server 5s\n"
        "frontend f\n bind :80\n http-request lua.name\n"
        " http-request return status 200 content-type text/plain lf-string %[var(txn.n)]\n"
    )
    router = start("haproxy", options=("-v", f"{tmp_path}:/usr/local/etc/haproxy:ro"))
    router.await_port(80)
    assert router.get() == (200, "lua")
    await_true(lambda: has_ended(router), router)
    assert inspect(router.identity, "{{.State.ExitCode}}") == "0"


def test_caddy_serves_what_its_caddyfile_says(start: Start, tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(":80 {\n\trespond hello\n}\n")
    edge = start("caddy", options=("-v", f"{tmp_path}/Caddyfile:/etc/caddy/Caddyfile:ro"))
    edge.await_port(80)
    assert edge.get() == (200, "hello")
    listing = ("sh", "-c", "ls /config/caddy || true")
    await_true(lambda: edge.run(*listing) == "autosave.json", edge)  # written once it serves


def test_nginx_fills_in_templates_and_logs_to_the_output(start: Start, tmp_path: Path) -> None:
    (tmp_path / "default.conf.template").write_text(
        "server { listen 80; location / { return 200 '${WORD} $uri'; } }"
    )
    options = ("-e", "WORD=hello", "-v", f"{tmp_path}:/etc/nginx/templates:ro")
    server = start("nginx", options=options)
    server.await_port(80)
    assert server.get("/there") == (200, "hello /there")
    await_true(lambda: "GET /there" in server.log(), server)


def test_the_registry_gives_digests_and_deletes(start: Start) -> None:
    registry = start("registry", options=("--publish", "127.0.0.1::5000"))
    registry.await_port(5000)
    port = docker("port", registry.identity, "5000").rpartition(":")[2]
    remote = f"127.0.0.1:{port}/berthmaster/base"
    docker("tag", image("base"), remote)
    docker("push", "--quiet", remote)
    digests = json.loads(inspect(remote, "{{json .RepoDigests}}"))
    docker("rmi", remote)
    digest = next(found for found in digests if found.startswith(remote)).partition("@")[2]
    path = f"/v2/berthmaster/base/manifests/{digest}"
    assert registry.get(path, 5000, "DELETE")[0] == 202
    assert registry.get(path, 5000)[0] == 404
