"""`python -m cato_backend.fronts FOLDER NUMBER`: one front; `cato serve` starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from cato_backend.fronts.process import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
