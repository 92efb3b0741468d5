"""A real Emacs with eglot, configured by the very words of the guide."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, serve
from tests.e2e.emacs.install import Emacs, emacs

REPLY = "\n    return a + b\n"
SOURCE = "def scale(values, factor):\n    return [value * factor for value in values]\n\n\n"
GUIDE = Path(__file__).parents[3] / "docs/other-editors.md"
EXAMPLE_URL = "https://gpu.example.com:8700"
PATIENCE_S = 120

SCRIPT = """
(setq native-comp-jit-compilation nil
      make-backup-files nil
      python-indent-guess-indent-offset nil)
(require 'eglot)
(setq eglot-sync-connect 30 eglot-autoshutdown t)
{documented}
(defun tell (name value)
  (princ (concat (json-serialize (list (cons (intern name) value))) "\\n")))
(find-file {file})
(python-mode)
(apply #'eglot--connect (eglot--guess-contact))
(tell "managed" (if (eglot-managed-p) t :false))
(goto-char (point-min))
(let ((inhibit-message t))
  (dotimes (_ 100)
    (unless (equal (plist-get (jsonrpc-request (eglot-current-server) :cato/status nil) :state)
                   "ready")
      (sleep-for 0.1))))
(cato-summarize)
(tell "summary" (with-current-buffer "*cato*" (buffer-string)))
(goto-char (point-max))
(insert "def add(a, b):")
(eglot--signal-textDocument/didChange)
(let* ((found (eglot-completion-at-point))
       (all (all-completions "" (nth 2 found))))
  (tell "offered" (substring-no-properties (car all)))
  (funcall (plist-get (nthcdr 3 found) :exit-function) (car all) 'finished))
(save-buffer)
(eglot-shutdown (eglot-current-server))
"""


@pytest.fixture(scope="module")
def program() -> Emacs:
    """Where Emacs cannot be had, its test is skipped aloud."""
    return had_or_skipped(emacs, "NO EMACS, its end-to-end test does not run")


@pytest.fixture
def backend(tmp_path: Path) -> Generator[Backend, None, None]:
    with serve(tmp_path / "backend", REPLY) as running:
        yield running


def documented(url: str) -> str:
    """The Lisp of the guide, with the address of a backend."""
    section = GUIDE.read_text().partition("\n## Emacs\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```elisp\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    text = "\n".join(blocks)
    assert EXAMPLE_URL in text
    return text.replace(EXAMPLE_URL, url)


def said(output: str) -> dict[str, Any]:
    """What the script told, by name."""
    told: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            told |= json.loads(line)
    return told


def test_a_suggestion_is_offered_and_a_function_summarized(
    program: Emacs, backend: Backend, tmp_path: Path
) -> None:
    file, script = tmp_path / "sums.py", tmp_path / "test.el"
    file.write_text(SOURCE)
    script.write_text(
        SCRIPT.replace("{documented}", documented(backend.url)).replace(
            "{file}", json.dumps(str(file))
        )
    )
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    own = {"PATH": path, "CATO_STATE_DIR": str(tmp_path / "state"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [*program.command, "-l", str(script)],
        env={**os.environ, **program.environment, **own, "CATO_BACKEND_AUTOSTART": "false"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    told = said(done.stdout)
    assert told["managed"] is True
    assert told["summary"] == REPLY.strip()
    assert "return a + b" in told["offered"]
    assert file.read_text().startswith(f"{SOURCE}def add(a, b):{REPLY.rstrip()}")
