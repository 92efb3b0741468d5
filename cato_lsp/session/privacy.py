"""Decides which files may be sent to a model: no secrets, no files that settings or git ignore."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pathspec import GitIgnoreSpec

from cato_lsp.settings.patterns import Ignore, spec_of
from cato_lsp.settings.settings import PrivacySettings
from cato_lsp.text.document import named_by, path_of

SECRET_NAMES = GitIgnoreSpec.from_lines(
    """\
*.env
*.pem
*.key
*.p12
*.pfx
*.jks
*.keystore
*.keytab
*.kdbx
*.der
*.p8
*.ppk
*.gpg
*.asc
*.ovpn
*.tfvars
*.tfvars.json
*.tfstate
*.tfstate.backup
.terraformrc
id_rsa*
id_dsa*
id_ecdsa*
id_ed25519*
.netrc
_netrc
.authinfo
.curlrc
.wgetrc
.fetchmailrc
.msmtprc
.npmrc
.pypirc
.htpasswd
.pgpass
.my.cnf
.git-credentials
.dockercfg
.dockerconfigjson
.boto
.s3cfg
.rclone.conf
rclone.conf
.vault-token
.vault_pass*
.dev.vars
.*_history
*kubeconfig
*kubeconfig.y*ml
credentials
credentials.json
credentials.y*ml
credentials.toml
credentials.ini
credentials.csv
*credentials*.json
local.settings.json
passwords.txt
secrets.toml
secrets.ini
secrets.properties
*secret*.json
*secret*.y*ml
*service-account*.json
*service_account*.json
*serviceaccount*.json
*firebase-adminsdk*.json
""".splitlines()
)
"""Names of files that usually hold secrets. A folder of such a name holds code about them."""
SECRET_PLACES = GitIgnoreSpec.from_lines(
    """\
.env
.env.*
!.env.example
!.env.sample
!.env.template
.envrc
.azure/
.gnupg/
.ssh/
**/.aws/config
**/.composer/auth.json
**/.docker/config.json
**/.kube/config
**/.m2/settings.xml
**/gh/hosts.yml
/etc/shadow
""".splitlines()
)
"""Paths of such files, seen from the root, and folders that hold them."""
_KEPT_BESIDE = re.compile(
    r"(?:\.?#|\.(?=.+\.sw\w\Z))?(?P<name>.+?)"
    r"(?:~|#|\.sw\w|\.(?:bak|old|orig|save)|[. \0]+)?\Z",
    re.DOTALL,
)
"""What editors call their backups, locks and swap files, and names that Windows reads as `name`."""

GITIGNORE = ".gitignore"
_KNOWN = 256


class Privacy:
    """Judges files by the settings and the workspace's folders.

    A file is judged by its path as it is given and by the one that it resolves to: neither `..` nor
    a link is a way around.
    """

    def __init__(self, settings: PrivacySettings, roots: Sequence[Path]) -> None:
        self._settings = settings
        self._roots = tuple(place for root in roots for place in _places(root))
        self._ignored = Ignore(settings.ignore)
        self._folders = {
            place: enabled
            for name, enabled in settings.folders.items()
            for folder in _folders_named(name, self._roots)
            for place in _places(folder)
        }

    def allows(self, path: Path) -> bool:
        """Return whether the file may be sent to a model.

        Looks at links and .gitignore files on the disk.
        """
        return self.reason(path) is None

    def allows_document(self, uri: str) -> bool:
        """Return whether the document may be sent.

        What is no file of this machine is judged by its names.
        """
        path = path_of(uri)
        if path is None:
            return not any(map(self._reason_named, named_by(uri)))
        # A file's name may have a `#` or a `?` in it that the client did not encode.
        return self.allows(path) and not any(map(_looks_secret, named_by(uri)))

    def reason(self, path: Path) -> str | None:
        """Return why the file may not be sent, in words for the person; None if it may."""
        reasons = map(self._reason, _places(path))
        return next((reason for reason in reasons if reason is not None), None)

    def _reason(self, path: Path) -> str | None:
        named = self._reason_named(path)
        if named is None and self._settings.gitignore and _ignored_by_git(path):
            return "git ignores it"
        return named

    def _reason_named(self, path: Path) -> str | None:
        """Return why a file may not be sent, by its names alone."""
        if _looks_secret(path):
            return "it looks like a file of secrets"
        if self._ignored.names(self._inside(path), path):
            return "a pattern of privacy.ignore (--ignore) names it"
        return None if self._folder_enabled(path) else "its folder is switched off"

    def _inside(self, path: Path) -> list[Path]:
        inside = [path.relative_to(root) for root in self._roots if path.is_relative_to(root)]
        return inside or [path.relative_to(path.anchor)]

    def _folder_enabled(self, path: Path) -> bool:
        holding = [place for place in self._folders if path.is_relative_to(place)]
        innermost = max(holding, key=lambda place: len(place.parts), default=None)
        return innermost is None or self._folders[innermost]


def _looks_secret(path: Path) -> bool:
    """Return whether the file, or the one that it is a backup of, holds secrets as a rule."""
    folder, _, name = path.as_posix().lstrip("/").lower().rpartition("/")
    beside = _KEPT_BESIDE.match(name)
    # The swap file of `.npmrc` is `.npmrc.swp`, that of `a` is `.a.swp`.
    names = {name, *((beside["name"],) if beside is not None else ())}
    if name.startswith("."):
        names |= {f".{one}" for one in names if not one.startswith(".")}
    return any(
        SECRET_NAMES.match_file(one) or SECRET_PLACES.match_file(f"{folder}/{one}") for one in names
    )


def _places(path: Path) -> tuple[Path, ...]:
    """Return the path without `..` and `.`, and where it leads to."""
    absolute = Path(os.path.abspath(path))
    try:
        return tuple({absolute: None, Path(os.path.realpath(path)): None})
    except (OSError, ValueError):
        # A loop of links, or no path at all: it cannot be read either.
        return (absolute,)


def _folders_named(name: str, roots: Sequence[Path]) -> list[Path]:
    """Return the folders that a setting means."""
    folder = path_of(name) or Path(os.path.expanduser(name))
    return [folder] if folder.is_absolute() else [root / folder for root in roots]


def _ignored_by_git(path: Path) -> bool:
    """Judge by the .gitignore files from the repository's root down to the file's folder."""
    folders = _repository_folders(path.parent)
    verdict = False
    for folder in folders:
        spec = _spec(folder)
        included = spec.check_file(path.relative_to(folder).as_posix()).include if spec else None
        verdict = verdict if included is None else included
    return verdict


def _repository_folders(folder: Path) -> list[Path]:
    """Return the folders from the repository's root down to `folder`; none outside of one."""
    found: list[Path] = []
    for above in (folder, *folder.parents):
        found.insert(0, above)
        if os.path.exists(above / ".git"):
            return found
    return []


def _spec(folder: Path) -> GitIgnoreSpec | None:
    try:
        status = os.stat(folder / GITIGNORE)
    except (OSError, ValueError):
        return None
    return _parsed(folder / GITIGNORE, status.st_mtime_ns)


@lru_cache(maxsize=_KNOWN)
def _parsed(path: Path, _changed_ns: int) -> GitIgnoreSpec | None:
    try:
        return spec_of(path.read_text(errors="replace").splitlines())
    except OSError:
        return None
