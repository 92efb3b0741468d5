"""The fleets that `cato plan` answers for teams of several sizes: `python -m bench.plans`.

Each team is one call of the command with `--json`, as a person makes it; so the file also shows how
long a plan takes on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from typing import Any

from bench.machine import save
from cato_backend.commands.arguments import Parser, at_least, output_file
from cato_lab.commands import plan


def planned(developers: int, options: list[str]) -> dict[str, Any]:
    """Return the command's answer for every GPU, and the seconds that it took."""
    parser = Parser(prog="cato plan")
    plan.configure(parser)
    words = ["--developers", str(developers), *options, "--json"]
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        plan.run(parser.parse(words))
    fleets = json.loads(printed.getvalue())
    return {
        "developers": developers,
        "seconds": round(time.perf_counter() - began, 1),
        "fleets": fleets if isinstance(fleets, list) else [fleets],
    }


def main() -> None:
    """Plan for each team and keep the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--developers", type=at_least(1), nargs="+", default=[10, 40])
    parser.add_argument("--gpu", help="only this one")
    parser.add_argument("--seeds", default="8", help="runs of a fleet at most")
    parser.add_argument("--duration", default="90", help="virtual seconds of a run")
    parser.add_argument("--json", type=output_file, help="keep the result in this file")
    arguments = parser.parse_args()
    options = ["--seeds", arguments.seeds, "--duration", arguments.duration]
    options += ["--gpu", arguments.gpu] if arguments.gpu else []
    teams = [planned(developers, options) for developers in arguments.developers]
    for team in teams:
        print(f"{team['developers']} developers, {team['seconds']} s:")
        for fleet in team["fleets"]:
            print(f"  {fleet['gpu']}: {fleet['replicas']}, {fleet['cost_per_month']} a month")
    if arguments.json:
        save(arguments.json, {"teams": teams})


if __name__ == "__main__":
    main()
