"""Ctrl-C and SIGTERM end the command without a traceback, whenever they come."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hessorbit.cli.interrupts import Interrupts

AT_IMPORTS = """
import importlib.abc, os, signal, sys

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "hessorbit.cli.app":
            os.kill(os.getpid(), signal.{name})

from hessorbit.cli import main
sys.meta_path.insert(0, Interrupting())
main()
"""

IN_A_THREAD = """
import os, signal, sys, threading, time
from hessorbit.cli import main
from hessorbit.study import workers

def slow(settings, cell):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1000)

workers.run_cell = slow
sys.argv = ["hessorbit", "study", "--preset", "quick", "--executor", "threads", "--workers", "1"]
main()
"""


def ended(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_while_the_program_is_imported(name: str, status: int, tmp_path: Path) -> None:
    run = ended(AT_IMPORTS.format(name=name), tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (status, "", "Interrupted.\n")


@pytest.mark.usefixtures("interruptible")
def test_threads_that_compute_are_not_waited_for(tmp_path: Path) -> None:
    run = ended(IN_A_THREAD, tmp_path)
    assert run.returncode == 130
    assert run.stderr.splitlines()[-1].startswith("Interrupted. Finished students are stored")
    assert "Traceback" not in run.stderr


def test_a_second_one_does_not_end_the_tidying_up() -> None:
    handler = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGTERM, None)
    handler(signal.SIGINT, None)
    assert handler.status == 143
    handler.last -= 10.0  # seconds
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGINT, None)
    assert handler.status == 130
