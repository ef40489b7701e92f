"""`python -m interplay` is the same as the `interplay` command. Knows only the command line."""

import sys

from interplay.cli import main

if __name__ == "__main__":
    sys.exit(main())
