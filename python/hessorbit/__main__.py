"""Runs the command line as `python -m hessorbit`."""

from .cli import main

if __name__ == "__main__":
    main()
