"""Which files may be read to a model: no secrets, nothing that the person or git ignores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from pathspec import GitIgnoreSpec

from cato_lsp.session.settings import PrivacySettings

SECRETS = GitIgnoreSpec.from_lines(
    """\
.env
.env.*
*.env
!.env.example
!.env.sample
!.env.template
.envrc
*.pem
*.key
*.p12
*.pfx
*.jks
*.keystore
*.kdbx
*.ppk
*.gpg
*.asc
*.tfvars
*.tfstate
id_rsa*
id_dsa*
id_ecdsa*
id_ed25519*
.netrc
_netrc
.npmrc
.pypirc
.htpasswd
.pgpass
.my.cnf
.git-credentials
.dockercfg
.docker/config.json
.kube/config
kubeconfig
.aws/credentials
.aws/config
.azure/
.gnupg/
.ssh/
credentials
credentials.json
credentials.y*ml
credentials.toml
credentials.ini
credentials.csv
*credentials*.json
secrets.toml
secrets.ini
*secret*.json
*secret*.y*ml
service-account*.json
""".splitlines()
)
"""What holds secrets as a rule, in the language of .gitignore."""

GITIGNORE = ".gitignore"
_KNOWN = 256


class Privacy:
    """Judges paths by the settings and the workspace's folders."""

    def __init__(self, settings: PrivacySettings, roots: Sequence[Path]) -> None:
        self._settings = settings
        self._roots = tuple(roots)
        self._ignored = GitIgnoreSpec.from_lines(settings.ignore)

    def allows(self, path: Path) -> bool:
        """Whether the file may be read to a model. Looks for .gitignore files on the disk."""
        return self.reason(path) is None

    def reason(self, path: Path) -> str | None:
        """Why not, in words for the person; None where it may."""
        if SECRETS.match_file(path.as_posix().lstrip("/")):
            return "it looks like a file of secrets"
        if any(self._ignored.match_file(inside) for inside in self._inside(path)):
            return "privacy.ignore names it"
        if not self._folder_enabled(path):
            return "its folder is switched off"
        if self._settings.gitignore and _ignored_by_git(path):
            return "git ignores it"
        return None

    def _inside(self, path: Path) -> Iterator[str]:
        inside = [path.relative_to(root) for root in self._roots if path.is_relative_to(root)]
        yield from (part.as_posix() for part in inside or [path.relative_to(path.anchor)])

    def _folder_enabled(self, path: Path) -> bool:
        enabled, deepest = True, -1
        for name, wanted in self._settings.folders.items():
            folder = Path(name).expanduser()
            places = [folder] if folder.is_absolute() else [root / folder for root in self._roots]
            for place in places:
                if path.is_relative_to(place) and len(place.parts) > deepest:
                    enabled, deepest = wanted, len(place.parts)
        return enabled


def _ignored_by_git(path: Path) -> bool:
    """By the .gitignore files from the repository's root down to the file's folder."""
    folders = _repository_folders(path.parent)
    verdict = False
    for folder in folders:
        spec = _spec(folder)
        included = spec.check_file(path.relative_to(folder).as_posix()).include if spec else None
        verdict = verdict if included is None else included
    return verdict


def _repository_folders(folder: Path) -> list[Path]:
    """From the repository's root down to `folder`; none where it is in no repository."""
    found: list[Path] = []
    for above in (folder, *folder.parents):
        found.insert(0, above)
        if (above / ".git").exists():
            return found
    return []


def _spec(folder: Path) -> GitIgnoreSpec | None:
    try:
        status = os.stat(folder / GITIGNORE)
    except OSError:
        return None
    return _parsed(folder / GITIGNORE, status.st_mtime_ns)


@lru_cache(maxsize=_KNOWN)
def _parsed(path: Path, _changed_ns: int) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(path.read_text(errors="replace").splitlines())
    except OSError:
        return None
