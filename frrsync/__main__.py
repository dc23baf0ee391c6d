"""Let ``python -m frrsync`` do what the console script does."""

from frrsync.cli import main

main()
