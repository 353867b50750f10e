"""``python -m agents.cli``: the command where its script is not on PATH."""

from agents.cli import main

main()
