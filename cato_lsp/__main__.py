"""`cato-lsp`: the language server."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cato_lsp import __version__, logs
from cato_lsp.protocol.clients import UnsafeListener, listener_token


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one client on stdio, or any number on TCP or WebSocket, and return the exit status."""
    arguments = _parser().parse_args(argv)
    log_file: Path | None = arguments.log_file
    logs.configure(arguments.verbose, log_file)
    log_path = logs.log_path(log_file)
    try:
        return _serve(arguments, log_path)
    except UnsafeListener as error:
        sys.stderr.write(f"cato-lsp: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        sys.stderr.write(f"cato-lsp: {error}\n")
        return 1


def _serve(arguments: argparse.Namespace, log_path: str | None) -> int:
    # Each transport is imported where it is used: the others' imports would delay the start.
    token: str | None = None
    if arguments.tcp or arguments.ws:
        token = listener_token(arguments.host, arguments.token_file)
    if arguments.tcp:
        with _uncollected():
            from cato_lsp.transports.byte_stream import serve_tcp

        return serve_tcp(arguments.host, arguments.port, log_path, token)
    if arguments.ws:
        with _uncollected():
            from cato_lsp.transports import ws

        return ws.serve(arguments.host, arguments.port, log_path, token)
    with _uncollected():
        from cato_lsp.transports.byte_stream import serve_stdio

    return serve_stdio(log_path)


@contextmanager
def _uncollected() -> Generator[None]:
    """Keep what is imported inside the block out of the garbage collector's sight.

    To walk the thousands of classes of LSP takes the collector 50 ms, at the start and while the
    person types.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cato-lsp", description="CATO's language server.")
    transport = parser.add_mutually_exclusive_group()
    transport.add_argument(
        "--stdio", action="store_true", help="talk on standard input and output (the default)"
    )
    transport.add_argument("--tcp", action="store_true", help="listen on a TCP port")
    transport.add_argument("--ws", action="store_true", help="listen for WebSockets")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=2087, help="port; 0 = any free (%(default)s)")
    parser.add_argument(
        "--token-file",
        type=Path,
        help="holds the token that clients of --tcp and --ws must know (else CATO_LSP_TOKEN);"
        " needed off loopback",
    )
    parser.add_argument("--log-file", type=Path, help="where to log (standard error)")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more (-v, -vv)")
    parser.add_argument("--version", action="version", version=f"cato-lsp {__version__}")
    # vscode-languageclient appends it; the end of stdin says the same, sooner.
    parser.add_argument("--clientProcessId", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
