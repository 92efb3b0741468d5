"""`cato token`, `cato team` and `cato person`: what they print, and what they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cato_backend.__main__ import main
from cato_backend.team.identities import Identity, person_of
from cato_backend.team.store import TeamStore

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `cato` with a state folder of its own: status, output, errors."""
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))

    def cato(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return cato


def test_a_token_in_two_commands(run: Run, tmp_path: Path) -> None:
    assert run("team", "create", "web")[0] == 0
    status, out, _ = run("token", "create", "laptop", "--person", "ada", "--team", "web")
    assert status == 0
    (secret,) = set(re.findall(r"cato_[\w-]{43}", out))
    assert f"Authorization: Bearer {secret}" in out
    assert "Set Backend Token" in out
    assert f"CATO_BACKEND_TOKEN={secret}" in out
    status, out, _ = run("token", "list")
    assert secret not in out
    assert re.search(rf"laptop +ada +web +user +{secret[:11]} +valid", out)
    (listed,) = json.loads(run("token", "list", "--json")[1])
    assert (listed["name"], listed["state"], listed["expires"]) == ("laptop", "valid", None)
    assert run("token", "revoke", "laptop")[0] == 0
    (listed,) = json.loads(run("token", "list", "--json")[1])
    assert listed["state"] == "revoked"
    audited = (tmp_path / "team" / "team.audit.jsonl").read_text()
    assert [json.loads(line)["event"] for line in audited.splitlines()] == [
        *("team created", "person created", "token created", "token revoked")
    ]
    assert secret not in audited


def test_all_tokens_of_a_person_are_revoked_at_once(run: Run, tmp_path: Path) -> None:
    run("team", "create", "web")
    for person in ("ada", "bo"):
        for name in ("laptop", "desktop"):
            run("token", "create", name, "--person", person, "--team", "web")
    run("token", "revoke", "laptop", "--person", "ada")
    assert "expected a token, or --person NAME --all" in run("token", "revoke")[2]
    status, out, _ = run("token", "revoke", "--person", "ada", "--all")
    assert status == 0
    assert re.fullmatch(r"revoked tok_\w+  desktop  of ada\n", out)
    listed = json.loads(run("token", "list", "--json")[1])
    assert [each["state"] for each in listed if each["person"] == "ada"] == ["revoked"] * 2
    assert [each["state"] for each in listed if each["person"] == "bo"] == ["valid"] * 2
    audited = (tmp_path / "team" / "team.audit.jsonl").read_text()
    assert audited.count("token revoked") == 2
    status, out, err = run("token", "revoke", "--person", "ada", "--all")
    assert (status, out, err) == (0, "", "ada has no token that is not revoked\n")
    assert run("token", "revoke", "--person", "eve", "--all")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--person", "ada"),  # As of `cato token revoke $EMPTY --person ada`.
        ("", "--person", "ada"),
        ("",),
        ("laptop", "--person", ""),
        ("--person", "", "--all"),
        ("--all",),
        ("laptop", "--person", "ada", "--all"),
    ],
)
def test_no_token_is_revoked_that_was_not_named(run: Run, arguments: tuple[str, ...]) -> None:
    run("team", "create", "web")
    run("token", "create", "laptop", "--person", "ada", "--team", "web")
    status, out, err = run("token", "revoke", *arguments)
    assert (status, out) == (1, "")
    assert "got" in err
    (listed,) = json.loads(run("token", "list", "--json")[1])
    assert listed["state"] == "valid"


def test_limits_are_set_and_taken_back(run: Run, tmp_path: Path) -> None:
    run("team", "create", "web", "--weight", "2", "--output-tokens-per-day", "1000")
    run("team", "set", "web", "--engine-seconds-per-day", "60.5", "--priority", "-3")
    run("team", "set", "web", "--output-tokens-per-day", "none", "--shared-context", "monorepo")
    run("person", "create", "ada", "--team", "web", "--requests-per-minute", "30")
    run("person", "set", "ada", "--role", "lead")
    store = TeamStore(tmp_path / "team" / "team.sqlite3")
    team, ada = store.team("web"), store.person("ada")
    store.close()
    assert (team.weight, team.priority, team.shared_context) == (2.0, -3, "monorepo")
    assert team.limits.output_tokens_per_day is None
    assert team.limits.engine_seconds_per_day == 60.5
    assert (ada.role, ada.limits.requests_per_minute) == ("lead", 30)
    assert "60.5" in run("team", "list")[1]
    assert re.search(r"ada +web +lead +1 +30", run("person", "list")[1])


def test_an_account_is_linked_by_hand(run: Run, tmp_path: Path) -> None:
    run("team", "create", "web")
    run("person", "create", "ada", "--team", "web")
    linking = ("person", "link", "ada", "--subject", "1")
    assert "name it, or a --config" in run(*linking)[2]
    config, url = tmp_path / "cato.toml", "https://id.example.com"
    config.write_text(f'[oidc]\nissuer = "{url}/"\nclient_id = "cato"\nallowed_domains = ["*"]\n')
    status, out, _ = run(*linking, "--config", str(config))
    assert (status, out) == (0, f"1 of {url} signs in as ada\n")
    store = TeamStore(tmp_path / "team/team.sqlite3")
    assert person_of(store, Identity(url, "1")) == "ada"
    store.close()
    assert run("person", "link", "eve", "--subject", "1", "--issuer", url)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("token", "create", "x", "--person", "eve"), "no person 'eve'; add them: cato person"),
        (
            ("token", "create", "x", "--person", "eve", "--team", "no"),
            "no team 'no'; make it: cato",
        ),
        (("token", "create", "x", "--person", "ada", "--role", "admin"), "cato person set ada"),
        (("token", "create", "x", "--person", "ada", "--expires", "2020-01-01"), "has passed"),
        (
            ("token", "create", "x", "--person", "ada", "--expires", "soon"),
            "a duration such as 90d",
        ),
        (("token", "create", "<x>", "--person", "ada"), "name: got '<x>', expected"),
        (("token", "revoke", "phone"), "no token 'phone'; see: cato token list"),
        (("token", "list", "--person", "eve"), "no person 'eve'"),
        (("team", "create", "web"), "'web' exists; change it: cato team set"),
        (("team", "set", "web", "--weight", "0"), "expected a number above 0"),
        (("team", "set", "web", "--weight", "1e9"), "a weight from 0.001 to 1000"),
        (("person", "create", "bo"), "--team"),
        (("person", "set", "ada", "--requests-per-minute", "0"), "a whole number, 1 or more"),
        (
            ("token", "list", "--team-store", "other.sqlite3"),
            "there is no other.sqlite3; `cato team",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    run("team", "create", "web")
    run("person", "create", "ada", "--team", "web")
    status, out, err = run(*arguments)
    assert status != 0
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_list_makes_no_store(run: Run, tmp_path: Path) -> None:
    status, _, err = run("token", "list")
    assert status == 1
    assert "`cato team create NAME` makes one" in err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_examples(run: Run) -> None:
    for command in ("token", "team", "person"):
        assert "examples\n" in run(command, "--help")[1]
