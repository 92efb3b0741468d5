"""How people write the address of an OpenAI-compatible server."""

from __future__ import annotations

import pytest

from cato_backend.wire.addresses import UrlHoldsCredentials, server_root


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://gpu:8000", "http://gpu:8000"),
        ("http://gpu:8000/", "http://gpu:8000"),
        ("http://gpu:8000//", "http://gpu:8000"),
        ("http://gpu:8000/v1", "http://gpu:8000"),
        ("http://gpu:8000/v1/", "http://gpu:8000"),
        ("http://gpu:8000/v1/models", "http://gpu:8000"),
        ("http://gpu:8000/v1/completions", "http://gpu:8000"),
        ("http://gpu:8000/v1/chat/completions/", "http://gpu:8000"),
        (" http://gpu:8000\n", "http://gpu:8000"),
        ("HTTPS://gpu", "https://gpu"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
        ("https://proxy/team/vllm/v1", "https://proxy/team/vllm"),
        ("http://gpu:8000/v10", "http://gpu:8000/v10"),
        ("http://v1", "http://v1"),
    ],
)
def test_the_root_is_found(url: str, root: str) -> None:
    assert server_root(url) == root
    assert server_root(root) == root


@pytest.mark.parametrize(
    "url",
    ["", "gpu", "gpu:8000", "localhost:8000/v1", "ftp://gpu", "http://", "http:///v1", "http://:80",
     "http://gpu:port", "http://gpu:99999", "http://gpu:0", "http://[::1", "http://g pu:8000",
     "http://gpu:8000/v1?key=1", "http://gpu:8000/#top"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"such as http://localhost:8000"):
        server_root(url)


@pytest.mark.parametrize("url", ["http://ada:s3cret@gpu:8000", "http://ada@gpu"])
def test_credentials_are_refused_unrepeated(url: str) -> None:
    with pytest.raises(UrlHoldsCredentials) as caught:
        server_root(url)
    assert "ada" not in str(caught.value)
