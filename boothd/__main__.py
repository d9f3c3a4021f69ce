"""`python -m boothd` is `boothd`."""

import sys

from boothd.cli import main

if __name__ == "__main__":
    sys.exit(main())
