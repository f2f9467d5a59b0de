"""Runs on the other server, under whatever Python is there: says what it has, or installs us.

Sent over ssh before any is there; standard library of Python 3.7 only, and nothing of this
package. Its input is one line of JSON and then the wheels; its output one line of JSON.
"""

# ruff: noqa: UP006, UP035, UP045, T201
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Optional

LEAST_PYTHON = (3, 11)
PREFIX = os.environ.get("BERTHMASTER_PREFIX", "/")  # tests install beside the system
HOME = os.path.join(PREFIX, "opt/berthmaster")
LINK = os.path.join(PREFIX, "usr/local/bin/berth")


def main() -> None:
    asked = json.loads(sys.stdin.buffer.readline().decode())
    try:
        answer = probe() if asked["do"] == "probe" else install(asked)
    except (OSError, RuntimeError) as error:
        answer = {"error": str(error)[-600:]}
    print(json.dumps(answer))


def probe() -> Dict[str, Any]:
    python = find_python()
    return {
        "is_root": os.getuid() == 0,
        "python": python and said(python, "-c", "import platform;print(platform.python_version())"),
        "own_python": sys.version.split()[0],
        "has_venv": python is not None and ends_well(python, "-c", "import venv, ensurepip"),
        "libc": libc(),
        "machine": os.uname().machine,
        "engine": said("docker", "version", "--format", "{{.Server.Version}}"),
        "has_docker": shutil.which("docker") is not None,
        "compose": said("docker", "compose", "version", "--short"),
        "berth": (said("berth", "--version") or "").rpartition(" ")[2] or None,
        "berth_at": shutil.which("berth"),
        "is_ours": is_ours(),
        "free_mb": free_mb(),
    }


def install(asked: Dict[str, Any]) -> Dict[str, Any]:
    if os.path.lexists(LINK) and not is_ours():
        raise RuntimeError(f"{LINK} is there and was not made by `berth server add`: move it away")
    place = os.path.join(HOME, asked["build"])
    python = find_python() or sys.executable
    if not os.path.exists(os.path.join(place, ".complete")):
        shutil.rmtree(place, ignore_errors=True)
        wheels = take_wheels(asked["wheels"], os.path.join(HOME, ".wheels"))
        must(python, "-m", "venv", place)
        own = os.path.join(place, "bin/python")
        must(own, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *wheels)
        must(os.path.join(place, "bin/berth"), "--version")
        shutil.rmtree(os.path.join(HOME, ".wheels"), ignore_errors=True)
        open(os.path.join(place, ".complete"), "w").close()
    before = os.path.realpath(os.path.join(HOME, "current"))
    point(os.path.join(HOME, "current"), place)
    os.makedirs(os.path.dirname(LINK), exist_ok=True)
    point(LINK, os.path.join(HOME, "current/bin/berth"))
    forget_others(place, before)
    return {"installed": place, "version": said(LINK, "--version")}


def take_wheels(rows: List[Any], folder: str) -> List[str]:
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    paths = []
    for name, size, digest in rows:
        if os.path.basename(name) != name or not name.endswith(".whl"):
            raise RuntimeError(f"{name} is no wheel")
        data = sys.stdin.buffer.read(size)
        if hashlib.sha256(data).hexdigest() != digest:
            raise RuntimeError(f"{name} did not arrive whole")
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "wb") as file:
            file.write(data)
    return paths


def point(link: str, target: str) -> None:
    part = f"{link}.{os.getpid()}"
    os.symlink(target, part)
    os.rename(part, link)


def forget_others(place: str, before: str) -> None:
    """The one before stays: whatever still runs of it goes on, and it can be turned back to."""
    for name in os.listdir(HOME):
        path = os.path.join(HOME, name)
        if os.path.isdir(path) and not os.path.islink(path) and path not in (place, before):
            shutil.rmtree(path, ignore_errors=True)


def is_ours() -> bool:
    return os.path.islink(LINK) and os.readlink(LINK).startswith(HOME)


def find_python() -> Optional[str]:
    for name in (
        "/usr/bin/python3",
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ):
        path = shutil.which(name)
        wanted = f"import sys; sys.exit(sys.version_info < {LEAST_PYTHON})"
        if path and ends_well(path, "-c", wanted):
            return path
    return None


def libc() -> List[str]:
    import platform

    name, version = platform.libc_ver()
    return [name, version] if name else ["musl", ""]


def free_mb() -> int:
    folder = HOME
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize // 1000000


def said(*words: str) -> Optional[str]:
    try:
        ended = subprocess.run(words, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode(errors="replace").strip() or None if not ended.returncode else None


def ends_well(*words: str) -> bool:
    try:
        quiet = subprocess.DEVNULL
        ended = subprocess.run(words, stdout=quiet, stderr=quiet, timeout=30, check=False)
        return ended.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def must(*words: str) -> None:
    ended = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False
    )
    if ended.returncode:
        lines = ended.stdout.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"{' '.join(words[:4])}: {lines[-1] if lines else ended.returncode}")


if __name__ == "__main__":
    main()
