"""`python -m hscjit_operator.cli`: the plugin where it is not installed as kubectl-hscjit."""

import sys

from hscjit_operator.cli import main

if __name__ == "__main__":
    sys.exit(main())
