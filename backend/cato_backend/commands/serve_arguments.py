"""The arguments of `cato serve`."""

from __future__ import annotations

from pathlib import Path

from cato_backend.commands.arguments import Parser, port
from cato_backend.commands.serve_config import LEVELS
from cato_backend.logs import LogFormat
from cato_backend.scheduling import policy_names


def add_arguments(parser: Parser) -> None:
    """Add the arguments; each overrides the field of cato.toml that it names."""
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="cato.toml")
    add("--help-config", action="store_true", help="list every field of cato.toml and exit")
    add("--host", metavar="HOST", help="server.host: address to bind (default 127.0.0.1)")
    add(
        "--port",
        type=port,
        metavar="PORT",
        help="server.port: port to bind, 0 picks a free one (default 8700)",
    )
    add("--token-file", metavar="FILE", help="server.token_file: bearer tokens, one a line")
    add(
        "--loopback-token",
        choices=("auto", "always", "never"),
        help="server.loopback_token: whether a server on loopback without --token-file needs a "
        "token, which it makes (default auto: where other people use this machine, or your "
        "account comes from a directory service)",
    )
    add("--team-store", metavar="FILE", help="team.store: people, teams and their tokens")
    add("--tls-cert", metavar="FILE", help="server.tls_cert: PEM certificate chain")
    add("--tls-key", metavar="FILE", help="server.tls_key: PEM private key")
    add(
        "--insecure", action="store_true", default=None, help="server.insecure: no TLS off loopback"
    )
    add(
        "--gateways",
        type=int,
        metavar="N",
        help="server.gateways: processes that take the connections of clients, before one that "
        "schedules (default 1: one process does both, on one core; more serve more requests a "
        "second where cores are free)",
    )
    add(
        "--replica",
        action="append",
        metavar="URL",
        help="replicas: an OpenAI-compatible server that runs already, with /v1 or without; "
        "repeatable",
    )
    add(
        "--replicas-from",
        action="append",
        metavar="SOURCE",
        help="discovery.sources: replicas that others run and that come and go: a file of URLs, "
        "dns://NAME:PORT, dns+srv://NAME or k8s://NAMESPACE/SERVICE[:PORT]; repeatable",
    )
    add(
        "--model",
        metavar="PATH",
        help="models: a replica started here serves 'embedded', a name of `cato model list` "
        "(fetched if need be), a folder, a hub name, or 'auto': the largest Qwen2.5-Coder for the "
        "GPU where there is one and a hub answers, else the first of `cato model list`, else "
        "'embedded' (default: auto, where the configuration names no model and no replica)",
    )
    add(
        "--ray",
        metavar="ADDRESS",
        help="ray.address: start the replicas on the nodes of this Ray cluster (HOST:PORT, auto or "
        "ray://HOST:PORT), with the extra [ray]",
    )
    add(
        "--profile",
        metavar="FILE",
        help="scheduling.profile: latency profile of every replica that names none of its own "
        "(default: found by hardware and model, for the replicas started here)",
    )
    add(
        "--min-replicas",
        type=int,
        metavar="N",
        help="provisioning.min_replicas: with --max-replicas, local replicas follow what is asked",
    )
    add(
        "--max-replicas",
        type=int,
        metavar="N",
        help="provisioning.max_replicas: the most of them (default: as many as are configured, "
        "always)",
    )
    add(
        "--no-calibrate",
        dest="calibrate",
        action="store_false",
        default=None,
        help="scheduling.calibrate: do not measure replicas that come up",
    )
    add(
        "--policy",
        choices=sorted(policy_names()),
        metavar="NAME",
        help=f"scheduling.policy: which policy routes: {', '.join(sorted(policy_names()))}",
    )
    add(
        "--event-log",
        metavar="FILE",
        help="server.event_log: every event and decision as JSON lines, for `cato replay`",
    )
    add(
        "--log-format",
        choices=tuple(LogFormat),
        help="log.format: lines for people, or one JSON object a line",
    )
    add("--log-level", choices=LEVELS, help="log.level: the least important lines written")
    add(
        "--colocated",
        action="store_true",
        help="for editors: one per user, found by its discovery file, gone when idle",
    )
    parser.restrict(
        "only with --max-replicas",
        lambda arguments: arguments.max_replicas is not None or arguments.config is not None,
        "--min-replicas",
    )
    parser.restrict(
        "not with --colocated, which binds a free port of 127.0.0.1",
        lambda arguments: not arguments.colocated or not arguments.port,
        "--port",
    )
    parser.restrict(
        "not with --colocated, which binds a free port of 127.0.0.1",
        lambda arguments: not arguments.colocated,
        *(
            "--host",
            "--gateways",
            "--token-file",
            "--loopback-token",
            "--team-store",
            "--tls-cert",
            "--tls-key",
            "--insecure",
        ),
    )
