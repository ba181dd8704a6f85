"""``python -m acclimate.cli``, for those who start a module: ``torchrun -m acclimate.cli train``."""

from __future__ import annotations

import sys

from acclimate.cli import main

if __name__ == "__main__":
    sys.exit(main())
