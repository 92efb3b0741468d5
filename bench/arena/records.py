"""Matches as JSON, and what an earlier report knows of a world."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.arena.play import Known, Match, Played, Share
from bench.arena.report import groups, leads
from cato_backend.wire.headers import Task


def record(matches: Sequence[Match], policy: str) -> dict[str, Any]:
    """Everything, as JSON knows it."""
    return {
        "policy": policy,
        "leads": {
            lead.match.world.number: round(lead.points, 2) for lead in leads(matches, policy)
        },
        "worlds": [_match_record(match) for match in matches],
    }


def read_known(path: Path, policies: Sequence[str]) -> dict[int, Known]:
    """What a report says of each world. The named policies are left out: they are played again."""
    return {
        world["world"]: Known(
            knee=world["knee"],
            duration_s=world["duration_s"],
            requests=world["requests"],
            played={
                name: _played(played)
                for name, played in world["played"].items()
                if name not in policies
            },
        )
        for world in json.loads(path.read_bytes())["worlds"]
    }


def _match_record(match: Match) -> dict[str, Any]:
    return {
        "world": match.world.number,
        "groups": groups(match),
        "load": round(match.world.load, 3),
        "knee": match.knee,
        "duration_s": match.duration_s,
        "requests": match.requests,
        "played": {name: _played_record(played) for name, played in match.played.items()},
    }


def _played_record(played: Played) -> Mapping[str, Any]:
    return {
        "all": _share_record(played.overall),
        "classes": {task.value: _share_record(share) for task, share in played.classes.items()},
        "start": _share_record(played.start),
        "cpu_s": round(played.cpu_s, 2),
    }


def _share_record(share: Share) -> dict[str, int]:
    return {"met": share.met, "counted": share.counted}


def _played(found: Mapping[str, Any]) -> Played:
    return Played(
        overall=Share(**found["all"]),
        classes={Task(name): Share(**share) for name, share in found["classes"].items()},
        start=Share(**found["start"]),
        cpu_s=found["cpu_s"],
    )
