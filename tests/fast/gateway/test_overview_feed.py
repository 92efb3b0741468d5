"""One overview for all who watch."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import count

import pytest

from cato_backend.errors import Overloaded
from cato_backend.gateway.overview_feed import MOST_OF_ONE, MOST_WATCHERS, PERIOD_S, OverviewFeed
from cato_backend.gateway.status_reports import without_paths
from cato_backend.team.records import Role


def test_it_is_made_once_in_a_period_and_only_when_asked_for() -> None:
    now, made = 100.0, count()
    feed = OverviewFeed(lambda: {"made": next(made)}, lambda: now)
    bodies = [feed.body(Role.ADMIN) for _ in range(3)]
    assert bodies == [b'{"made":0}'] * 3
    now += PERIOD_S
    bodies = [feed.body(Role.ADMIN) for _ in range(2)]
    assert bodies == [b'{"made":1}'] * 2
    now += 100 * PERIOD_S
    assert feed.body(Role.ADMIN) == b'{"made":2}'


def test_only_admins_see_paths_of_the_server() -> None:
    texts = (
        "server.token_file: /etc/cato/tokens: No such file",
        "engine ended; its log is in ~/.local/state/cato/engine.log",
        "static-1: up at http://10.0.0.7:8000/v1, 8/16 slots",
    )
    replica = {"id": "r", "reason": texts[1], "remedy": "look into /var/log/cato"}
    told = {
        "message": texts[1],
        "replicas": [replica],
        "sources": [{"name": "/etc/cato/replicas", "trouble": texts[0]}],
        "models": [{"name": "/models/coder"}],
        "events": [{"at": "now", "text": text} for text in texts],
    }
    feed = OverviewFeed(lambda: told, lambda: 0.0)
    assert json.loads(feed.body(Role.ADMIN)) == told
    for role in (Role.USER, Role.LEAD):
        body = feed.body(role).decode()
        assert "/etc" not in body
        assert "/var" not in body
        assert ".local" not in body
        assert json.loads(body)["events"][2]["text"] == texts[2]
        assert json.loads(body)["models"] == told["models"], "what requests must name"
        assert json.loads(body)["replicas"][0]["id"] == "r"


def test_health_is_told_without_paths_as_well() -> None:
    source = {"name": "/etc/hosts", "trouble": "/etc/hosts is gone", "remedy": "", "n": 1}
    told = {"message": "see ~/log", "replicas": [], "sources": [source], "inventory": {}}
    found = without_paths(told)
    assert "/etc" not in str(found)
    assert "~" not in str(found)
    assert found.keys() == told.keys()
    assert found["sources"][0]["n"] == 1


def test_places_are_bounded_and_given_back() -> None:
    feed = OverviewFeed(dict, lambda: 0.0)
    with ExitStack() as watchers:
        for _ in range(MOST_WATCHERS):
            watchers.enter_context(feed.watching(None))
        with pytest.raises(Overloaded, match="watch already"), feed.watching(None):
            pass
    with feed.watching(None):
        pass


def test_one_person_leaves_places_to_others() -> None:
    feed = OverviewFeed(dict, lambda: 0.0)
    with ExitStack() as watchers:
        for _ in range(MOST_OF_ONE):
            watchers.enter_context(feed.watching("ada"))
        with pytest.raises(Overloaded, match="you watch 8 times"), feed.watching("ada"):
            pass
        with feed.watching("bo"), feed.watching(None):
            pass
    with feed.watching("ada"):
        pass
