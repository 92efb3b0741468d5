"""Which files are never sent to a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_lsp.decisions.pieces import Piece
from cato_lsp.session.privacy import Privacy
from cato_lsp.settings.settings import PrivacySettings, parse
from cato_lsp.suggestions.context import ContextCollector
from cato_lsp.syntax import open_document


def allows(path: Path, root: Path, settings: PrivacySettings | None = None) -> bool:
    return Privacy(settings or PrivacySettings(), [root]).allows(path)


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.local", "production.env", "server.pem", "id_ed25519", ".aws/credentials",
        ".ssh/config", "app/secrets.toml", "gcp-credentials.json", "main.tfvars", ".npmrc",
        ".kube/config", ".docker/config.json", ".aws/config", ".m2/settings.xml",
        "prod.kubeconfig", "x.tfvars.json", "serviceAccountKey.json", "x-firebase-adminsdk-1.json",
        "local.settings.json", ".vault-token", ".psql_history", "AuthKey.p8", "krb5.keytab",
        # Backups, locks and swap files of editors, and names that Windows takes for another.
        ".env~", "#.env#", ".#.env", "..env.swp", ".id_rsa.swo", ".NPMRC~", ".env ", ".netrc.",
        ".npmrc.swp", ".netrc.bak", "server.pem.orig", ".kube/config.bak",
    ],
)  # fmt: skip
def test_files_of_secrets_are_kept(tmp_path: Path, name: str) -> None:
    assert not allows(tmp_path / name, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "environment.py", "keys.py", ".env.example", "secrets.py", "credentials/service.py",
        "kubeconfig/load.go", "docker/config.json", "kube/config", "C#/main.cs", ".~",
        "chat_history",
    ],
)  # fmt: skip
def test_code_about_secrets_is_code(tmp_path: Path, name: str) -> None:
    assert allows(tmp_path / name, tmp_path)


@pytest.mark.parametrize("name", ["a=b.py", "R%26D/a.py", "it's/x.py", "C%23/x.cs", "a#b.py"])
def test_a_character_in_a_path_does_not_leave_an_allowed_folder(tmp_path: Path, name: str) -> None:
    settings = PrivacySettings(folders={"/": False, str(tmp_path): True})
    assert Privacy(settings, [tmp_path]).allows_document(f"{tmp_path.as_uri()}/{name}")


def test_a_folder_of_an_unknown_user_leaves_the_others(tmp_path: Path) -> None:
    settings = PrivacySettings(folders={"~nosuchuser/x": False, str(tmp_path): False})
    assert not Privacy(settings, [tmp_path]).allows(tmp_path / "a.py")


def test_the_person_s_globs_count(tmp_path: Path) -> None:
    settings = PrivacySettings(ignore=("generated/", "*.sql", "!schema.sql"))
    assert not allows(tmp_path / "generated" / "a.py", tmp_path, settings)
    assert not allows(tmp_path / "deep" / "a.sql", tmp_path, settings)
    assert allows(tmp_path / "schema.sql", tmp_path, settings)
    assert allows(tmp_path / "a.py", tmp_path, settings)


def test_what_git_ignores_is_kept_and_inner_files_decide(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "inner").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\nbuild/\n")
    (tmp_path / "inner" / ".gitignore").write_text("!kept.log\nown.py\n")
    verdicts = {
        name: allows(tmp_path / name, tmp_path)
        for name in ("a.log", "build/x.py", "inner/kept.log", "inner/own.py", "inner/a.py")
    }
    assert verdicts == {
        "a.log": False, "build/x.py": False, "inner/kept.log": True, "inner/own.py": False,
        "inner/a.py": True,
    }  # fmt: skip
    assert allows(tmp_path / "a.log", tmp_path, PrivacySettings(gitignore=False))


def test_a_changed_gitignore_is_read_again(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    privacy = Privacy(PrivacySettings(), [tmp_path])
    assert privacy.allows(tmp_path / "a.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    assert not privacy.allows(tmp_path / "a.py")


def test_the_innermost_folder_decides(tmp_path: Path) -> None:
    folders = {"work": False, str(tmp_path / "work" / "open"): True}
    settings = PrivacySettings(folders=folders)
    assert allows(tmp_path / "a.py", tmp_path, settings)
    assert not allows(tmp_path / "work" / "a.py", tmp_path, settings)
    assert allows(tmp_path / "work" / "open" / "a.py", tmp_path, settings)


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:.env",
        "untitled:/home/me/server.pem",
        "untitled:C%3A%5Cproject%5C.env",
        "vscode-remote://ssh-remote%2Bhost/home/me/.ssh/config",
        "vscode-vfs://github/owner/repository/.env.production",
        "git:/project/.env?%7B%22path%22%3A%22%2Fproject%2F.env%22%2C%22ref%22%3A%22~%22%7D",
        "git:/project/id.pem.git?{}",
        "git:/project/old.py?{%22path%22:%22/project/.env%22}",
        "scp://host//home/me/.env",
        "sftp://me@host:22/srv/server.key",
        "fugitive:///project/.git//0/.env",
        "jar:file:///project/a.jar!/conf/.env",
        "file:///project/.ENV",
        "file:///project/#1/.env",
        "file:///project/what?/.env",
        "file:///project/.env%20",
        "file:///project/.env%00",
        "http://[::1/.env",
        ".env",
    ],
)
def test_names_decide_whatever_the_scheme(uri: str) -> None:
    assert not Privacy(PrivacySettings(), []).allows_document(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:Untitled-1",
        "untitled:/home/me/main.py",
        "vscode-remote://ssh-remote%2Bhost/home/me/main.py",
        "git:/project/main.py?{%22path%22:%22/project/main.py%22,%22ref%22:%22HEAD%22}",
        "inmemory://model/1",
        "http://[::1/main.py",
        f"file:///{'long/' * 2000}main.py",
        "file:///a%00/main.py",
        "",
    ],
)
def test_other_names_are_read(uri: str) -> None:
    assert Privacy(PrivacySettings(), []).allows_document(uri)


def test_folders_and_globs_count_for_remote_documents() -> None:
    settings = PrivacySettings(ignore=("*.sql",), folders={"clients": False, "/srv/own": False})
    privacy = Privacy(settings, [Path("/home/me")])
    remote = "vscode-remote://ssh-remote%2Bhost"
    assert not privacy.allows_document(f"{remote}/home/me/clients/a.py")
    assert not privacy.allows_document(f"{remote}/srv/own/a.py")
    assert not privacy.allows_document(f"{remote}/home/me/a.sql")
    assert privacy.allows_document(f"{remote}/home/me/a.py")


def test_globs_may_be_absolute_or_of_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root, home = tmp_path / "project", tmp_path / "home"
    ignore = (f"{tmp_path}/other/**", "~/clients/", "/generated", "*.sql", f"!{root}/kept.sql")
    settings = PrivacySettings(ignore=ignore)
    assert not allows(tmp_path / "other" / "deep" / "a.py", root, settings)
    assert not allows(home / "clients" / "a.py", root, settings)
    assert not allows(root / "generated" / "a.py", root, settings)
    assert not allows(root / "a.sql", root, settings)
    assert allows(root / "kept.sql", root, settings)
    assert allows(home / "a.py", root, settings)
    assert allows(root / "deep" / "generated" / "a.py", root, settings)


def test_neither_links_nor_dots_are_a_way_around(tmp_path: Path) -> None:
    project, clients = tmp_path / "project", tmp_path / "clients"
    for folder in (project, clients):
        folder.mkdir()
    (clients / "secret.h").write_text("int secret(void);\n")
    (project / ".env").write_text("TOKEN=1\n")
    (project / "link.h").symlink_to(clients / "secret.h")
    (project / "linked").symlink_to(clients, target_is_directory=True)
    (project / "notes.txt").symlink_to(project / ".env")
    (project / "loop").symlink_to(project / "loop")
    for settings in (
        PrivacySettings(folders={str(clients): False}),
        PrivacySettings(folders={"../clients": False}),
        PrivacySettings(folders={clients.as_uri(): False}),
        PrivacySettings(folders={str(project / "linked"): False}),
        PrivacySettings(ignore=(f"{clients}/",)),
    ):
        for path in ("../clients/secret.h", "link.h", "linked/secret.h", "./x/../link.h"):
            assert not allows(project / path, project, settings), (settings, path)
        assert not allows(clients / "secret.h", project, settings)
        assert allows(project / "main.c", project, settings)
    assert not allows(project / "notes.txt", project)
    assert allows(project / "loop" / "a.py", project)


@pytest.mark.parametrize("include", ["../clients/acme/secret.h", "{}/clients/acme/secret.h", "l.h"])
async def test_imports_bring_nothing_along_that_is_switched_off(
    tmp_path: Path, include: str
) -> None:
    acme, project = tmp_path / "clients" / "acme", tmp_path / "project"
    acme.mkdir(parents=True)
    project.mkdir()
    (acme / "secret.h").write_text("int secret_of_acme(void) {\n  return 1;\n}\n")
    (project / "l.h").symlink_to(acme / "secret.h")
    text = f'#include "{include.format(tmp_path)}"\n\nint main(void) {{\n'
    uri = (project / "main.c").as_uri()
    snapshot = open_document(uri, "c", 1, text).snapshot()

    async def found(folders: dict[str, bool]) -> tuple[Piece, ...]:
        privacy = Privacy(PrivacySettings(folders=folders), [project])
        collector = ContextCollector(privacy.allows, list)
        collector.look(snapshot, len(text), 0)
        return await collector.pieces(uri)

    assert "secret_of_acme" in str(await found({}))
    assert not await found({str(tmp_path / "clients"): False})


def test_a_broken_gitignore_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("!\n*.log\na\\\n")
    assert not allows(tmp_path / "a.log", tmp_path)
    assert allows(tmp_path / "a.py", tmp_path)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "  ",
        "# x",
        "../clients/**",
        "./src/*.py",
        "!",
        "a\\",
        "$HOME/x",
        "file:///x",
        "src\\a",
        "/",
    ],
)
def test_a_pattern_that_can_never_match_is_told(tmp_path: Path, pattern: str) -> None:
    settings, complaints = parse({"privacy": {"ignore": [pattern, "*.sql"]}}, environment={})
    (complaint,) = complaints
    assert complaint.setting == "privacy.ignore"
    assert repr(pattern) in complaint.expected
    assert not allows(tmp_path / "a.sql", tmp_path, settings.privacy)
    assert allows(tmp_path / "a.py", tmp_path, settings.privacy)


@pytest.mark.parametrize("pattern", ["*.sql", "/a", "~/x", "!b", "C:\\x\\*.py", "a/**/b", "\\#a"])
def test_other_patterns_are_not(pattern: str) -> None:
    assert parse({"privacy": {"ignore": [pattern]}}, environment={})[1] == ()
