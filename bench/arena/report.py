"""What a set of matches says of one policy: its lead over the best other one of each world."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.arena.play import Match, Played, Share
from cato_backend.wire.headers import Task
from cato_lab.scoring.records import text_table
from cato_lab.scoring.statistics import percentile

_WORST = 10
_FEWEST_COUNTED = 20
"""Requests; a smaller part of a world says nothing."""
Part = Callable[[Played], Share | None]
"""Which requests of a world are looked at; None where there are none of them."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Percentage points of goodput over the best baseline of one world."""

    match: Match
    points: float
    baseline: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of leads over worlds, in percentage points."""

    worlds: int
    mean: float
    median: float
    p5: float
    worst: float
    ahead: float
    """Share of the worlds in which the policy is not behind."""

    @classmethod
    def of(cls, leads: Sequence[Lead]) -> Spread:
        """Of at least one lead."""
        ascending = sorted(lead.points for lead in leads)
        return cls(
            worlds=len(ascending),
            mean=fmean(ascending),
            median=percentile(ascending, 0.5),
            p5=percentile(ascending, 0.05),
            worst=ascending[0],
            ahead=sum(points >= 0 for points in ascending) / len(ascending),
        )


def overall(played: Played) -> Share | None:
    """All requests of the world."""
    return played.overall


def after_start(played: Played) -> Share | None:
    """Those of the first minute after a start."""
    return played.start


def of_class(task: Task) -> Part:
    """Those of one class."""
    return lambda played: played.classes.get(task)


def leads(matches: Iterable[Match], policy: str, part: Part = overall) -> list[Lead]:
    """The policy's lead in each world where enough of these requests are. The baseline is the one
    that is best over all requests of the world, but for a class too: nobody changes routers for
    each class."""
    found: list[Lead] = []
    for match in matches:
        baseline = best_baseline(match, policy)
        ours, theirs = part(match.played[policy]), part(match.played[baseline])
        if ours and theirs and ours.counted >= _FEWEST_COUNTED:
            points = (ours.percent or 0.0) - (theirs.percent or 0.0)
            found.append(Lead(match, points, baseline))
    return found


def best_baseline(match: Match, policy: str) -> str:
    """The best of the other policies, in hindsight."""
    others = [name for name in match.played if name != policy]
    return max(others, key=lambda name: match.played[name].overall.percent or 0.0)


def groups(match: Match) -> list[str]:
    """What the world is counted under."""
    world, demand = match.world, match.world.demand
    load = "above the knee" if world.load > 1 else "below the knee"
    found = [load, f"told: {world.told}", f"{load}, told: {world.told}"]
    found += [f"replicas: {world.alike}", f"headers: {demand.headers}"]
    found += [f"withdrawal: {demand.typing.withdrawal}", f"arrivals: {demand.arrivals}"]
    found.append("limits told" if world.limits_told else "limits untold")
    count = len(world.fleet.members)
    found.append("1 replica" if count == 1 else "2-4 replicas" if count < 5 else "5-32 replicas")
    if demand.long_share:
        found.append("long prompts")
    if world.trouble.kills or world.trouble.starts:
        found.append("replicas die or come up")
    if world.trouble.slowed:
        found.append("replicas slow down")
    return found


def tables(matches: Sequence[Match], policy: str) -> str:
    """Everything, for people."""
    everywhere = leads(matches, policy)
    rows = [("all worlds", everywhere)]
    by_group: defaultdict[str, list[Lead]] = defaultdict(list)
    for lead in everywhere:
        for group in groups(lead.match):
            by_group[group].append(lead)
    rows += sorted(by_group.items())
    rows.append(("first minute after a start", leads(matches, policy, after_start)))
    rows += [(task.value, leads(matches, policy, of_class(task))) for task in Task]
    lines = [f"lead of {policy} over the best baseline of each world, percentage points of goodput"]
    lines.append(text_table(_HEADINGS, [_row(name, found) for name, found in rows if found]))
    lines += ["", "worst worlds", *_worst(everywhere)]
    lines += ["", _means(matches)]
    return "\n".join(lines)


_HEADINGS = ("", "worlds", "mean", "median", "5th percentile", "worst", "not behind %")


def _row(name: str, found: Sequence[Lead]) -> list[str]:
    spread = Spread.of(found)
    figures = (spread.mean, spread.median, spread.p5, spread.worst)
    return [name, str(spread.worlds), *(f"{x:+.1f}" for x in figures), f"{100 * spread.ahead:.0f}"]


def _worst(found: Sequence[Lead]) -> list[str]:
    lines: list[str] = []
    for lead in sorted(found, key=lambda lead: lead.points)[:_WORST]:
        number = lead.match.world.number
        about = ", ".join(groups(lead.match)[2:7])
        lines.append(f"{lead.points:+6.1f}  against {lead.baseline}: {about}")
        lines.append(f"        python -m bench.arena --world {number}")
    return lines


def _means(matches: Sequence[Match]) -> str:
    """Each policy's mean goodput, and in how many worlds it is the best."""
    rows: list[list[str]] = []
    for policy in matches[0].played:
        shares = [match.played[policy].overall.percent or 0.0 for match in matches]
        wins = sum(_best(match) == policy for match in matches)
        cpu_s = sum(match.played[policy].cpu_s for match in matches)
        mean = sum(shares) / len(shares)
        rows.append([policy, f"{mean:.1f}", f"{min(shares):.1f}", str(wins), f"{cpu_s:.0f}"])
    return text_table(("policy", "mean goodput %", "worst %", "best in", "seconds"), rows)


def _best(match: Match) -> str:
    return max(match.played, key=lambda name: match.played[name].overall.percent or 0.0)


def world_table(match: Match) -> str:
    """One world: what it is, and what each policy came to by class."""
    world, demand = match.world, match.world.demand
    shares = ", ".join(f"{task} {share:.0%}" for task, share in demand.shares.items() if share)
    kinds = dict.fromkeys(member.profile for member in world.fleet.members)
    lines = [
        f"world {world.number}: {'; '.join(groups(match))}",
        f"{len(world.fleet.members)} replicas; {match.requests} requests at {match.rate:.1f}/s in"
        f" {match.duration_s:.0f} s; knee {match.knee:.1f}/s, load {world.load:.2f}; {shares}",
        f"{demand.typing}",
        f"{demand.lengths}, {demand.sessions} sessions, estimates {demand.estimates},"
        f" configured targets {demand.configured}, flat translations {demand.flat_translations}",
        *(f"true {kind.law} {kind.limits}" for kind in kinds),
        *(f"told {told}" for told in dict.fromkeys(m.told for m in world.fleet.members)),
        *(f"target {task}: {target}" for task, target in demand.targets.items()),
        f"{world.trouble}",
    ]
    tasks = [task for task in Task if any(task in p.classes for p in match.played.values())]
    headings = ["policy", "goodput %", *(task.value for task in tasks), "after start", "seconds"]
    rows = [
        [
            name,
            _percent(p.overall),
            *(_percent(p.classes.get(task)) for task in tasks),
            _percent(p.start),
            f"{p.cpu_s:.1f}",
        ]
        for name, p in match.played.items()
    ]
    return "\n".join([*lines, text_table(headings, rows)])


def _percent(share: Share | None) -> str:
    found = None if share is None else share.percent
    return "-" if found is None else f"{found:.1f}"
