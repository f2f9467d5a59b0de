"""What is installed on another server: this very program as a wheel, and its dependencies' wheels.

The wheel is made of the files that run here, so that it needs no source and no build tool. The
dependencies come from this machine's package index, for the other machine's Python and C library,
in the versions that run here.
"""

import base64
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import berthmaster
from berthmaster.domain.errors import OutsideError

PACKAGE: Final = "berthmaster"
_ENTRY: Final = f"[console_scripts]\nberth = {PACKAGE}.cli.main:main\n"
_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: berth\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_OLDEST_GLIBC, _NEWEST_GLIBC = 17, 45
_SECONDS: Final = 600.0


def own_wheel() -> tuple[str, bytes]:
    """Name and content of this package's wheel; the same files give the same bytes."""
    version = berthmaster.__version__
    info = f"{PACKAGE}-{version}.dist-info"
    top = Path(berthmaster.__file__).parent
    files = {
        f"{PACKAGE}/{path.relative_to(top).as_posix()}": path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    # What an editable installation says of its version may be older than its files.
    said = re.sub(
        r"^Version: .*$", f"Version: {version}", str(metadata.metadata(PACKAGE)), flags=re.M
    )
    files[f"{info}/METADATA"] = said.encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/entry_points.txt"] = _ENTRY.encode()
    record = [f"{name},{_hash(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            item = zipfile.ZipInfo(name, _EPOCH)
            item.external_attr = 0o644 << 16
            item.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(item, data)
    return f"{PACKAGE}-{version}-py3-none-any.whl", out.getvalue()


def collect(facts: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """All wheels for a machine that `far_install.probe` described, ours first."""
    name, data = own_wheel()
    with tempfile.TemporaryDirectory(prefix="berth-wheels-") as folder:
        own = Path(folder) / name
        own.write_bytes(data)
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text(_constraints())
        got = Path(folder) / "got"
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        words += ["--only-binary=:all:", "--dest", str(got), "--constraint", str(constraints)]
        words += ["--implementation", "cp", "--python-version", _minor(str(facts["python"]))]
        for platform in platforms(str(facts["machine"]), *facts["libc"]):
            words += ["--platform", platform]
        _must([*words, str(own)])
        found = {path.name: path.read_bytes() for path in got.glob("*.whl")}
    found[name] = data
    return sorted(found.items(), key=lambda item: (item[0] != name, item[0]))


def build_name(wheels: list[tuple[str, bytes]]) -> str:
    """The folder of one installation: its version, and a hash of all that is in it."""
    total = hashlib.sha256()
    for name, data in wheels:
        total.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    return f"{berthmaster.__version__}-{total.hexdigest()[:12]}"


def platforms(machine: str, libc: str, version: str) -> list[str]:
    """Wheel platforms that run there, as pip names them."""
    if libc != "glibc":
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)]
    newest = min(int(version.split(".")[1]), _NEWEST_GLIBC)
    found = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST_GLIBC - 1, -1)]
    return [*found, f"manylinux2014_{machine}"]


def _constraints() -> str:
    """The versions that run here."""
    rows = {item.metadata["Name"]: item.version for item in metadata.distributions()}
    return "".join(f"{name}=={rows[name]}\n" for name in sorted(rows) if name != PACKAGE)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def _must(words: list[str]) -> None:
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"pip does not run here: {error}", subject="pip") from error
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OutsideError(
            f"the packages that Berthmaster needs there cannot be had here: {last}",
            subject="pip",
            next_command="python3 -m pip download berthmaster's dependencies by hand to see why",
        )
