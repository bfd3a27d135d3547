"""`scripts/acceptance` in a fork of the fork server: ROOT PROGRAM NUMBER-OF-STEPS WORDS ..."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.acceptance_run.__main__ import main
from scripts.acceptance_run.run import STEPS

if __name__ == "__main__":
    root, program, steps, *words = sys.argv[1:]
    sys.exit(main(words, root=Path(root), program=[program], profile="quick", steps=STEPS[: int(steps)]))
