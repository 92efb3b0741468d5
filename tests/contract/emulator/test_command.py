"""`cato emulate` as a process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cato_backend.__main__ import main


def ended(arguments: list[str]) -> int:
    """The status with which `cato emulate` refuses to start."""
    try:
        return main(["emulate", "--port", "0", *arguments])
    except SystemExit as refused:  # argparse's
        return int(refused.code or 0)


COMMAND = [sys.executable, "-m", "cato_backend", "emulate"]


def test_it_prints_its_url_serves_and_says_at_the_end_how_punctual_it_was() -> None:
    arguments = ["--port", "0", "--step-ms", "1", "--model", "mine", "--max-model-len", "99"]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            body = json.dumps({"prompt": "x", "max_tokens": 20}).encode()
            with urllib.request.urlopen(f"{url}/v1/completions", body, timeout=10) as answer:
                assert json.load(answer)["usage"]["completion_tokens"] == 20
            with urllib.request.urlopen(f"{url}/v1/models", timeout=10) as answer:
                model = json.load(answer)["data"][0]
            assert (model["id"], model["max_model_len"]) == ("mine", 99)
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "p99" in errors
    assert "over 20 steps" in errors


def test_a_fault_and_what_was_received_are_told_at_the_control_address() -> None:
    arguments = ["--port", "0", "--ttft-ms", "0", "--reply", "a + b", "--fault", "truncate:2"]
    with subprocess.Popen(
        [*COMMAND, *arguments, "--control"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url, control = (process.stdout.readline().strip() for _ in range(2))
            body = json.dumps({"prompt": "x", "stream": True}).encode()
            for events in (2, 7):
                with urllib.request.urlopen(f"{url}/v1/completions", body, timeout=10) as answer:
                    assert answer.read().count(b"data: ") == events
                mended = json.dumps({"faults": []}).encode()
                urllib.request.urlopen(f"{control}/behaviour", mended, timeout=10).close()
            with urllib.request.urlopen(f"{control}/state", timeout=10) as answer:
                state = json.load(answer)
        finally:
            process.terminate()
    assert [request["body"]["prompt"] for request in state["requests"]] == ["x", "x"]
    assert state["finished"] == {"abort": 1, "stop": 1}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--speed", "0"], 2, "--speed: got 0, expected a number above 0"),
        (["--kv-tokens", "1000"], 1, "max_model_len: got 32768, expected at most"),
        (["--max-num-batched-tokens", "8"], 1, "max_num_batched_tokens: got 8, expected at least"),
        (
            ["--long-prefill-token-threshold", "40000"],
            1,
            "long_prefill_token_threshold: got 40000, expected at most max_model_len (32768)",
        ),
        (["--long-prefill-token-threshold", "-1"], 2, "got -1, expected a whole number, 0 or more"),
        (["--profile", "/nowhere.json"], 1, "/nowhere.json: No such file"),
        (["--corpus", "/nowhere"], 1, "corpus: got '/nowhere', expected a file"),
        (["--error-rate", "2"], 2, "--error-rate: got 2, expected a share from 0 to 1"),
    ],
)
def test_what_cannot_be_used_is_named(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(arguments) == status
    assert said in capsys.readouterr().err


def test_a_corpus_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert ended(["--corpus", str(tmp_path)]) == 1
    assert "at least one file of UTF-8 text" in capsys.readouterr().err


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert ended(["--port", port]) == 1
    told = f"cannot bind 127.0.0.1:{port}: address already in use; --port 0 picks a free port"
    assert told in capsys.readouterr().err


def test_emulator_does_not_listen_before_start_up_ends_and_stops_on_sigterm() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--port", str(port), "--start-s", "600"]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "loading for 600 s\n"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 1).close()
        finally:
            process.terminate()
        assert process.wait(10) == 0
