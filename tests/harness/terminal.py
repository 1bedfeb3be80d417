"""A person at a terminal."""
import os
import pty
import select
import subprocess
import time

from tests.harness import BIN


def at_a_terminal(client, *arguments, answers):
    """Runs a command of this client on a terminal, answers its questions in turn, and returns its exit code and what it
    said."""
    here, there = pty.openpty()
    process = subprocess.Popen([BIN / "locara", *arguments], stdin=there, stdout=there, stderr=there,
                               env={**client.environment, "TERM": "dumb"}, close_fds=True)
    os.close(there)
    said, asked, deadline = "", 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([here], [], [], 0.2)[0]:
            try:
                said += os.read(here, 4096).decode()
            except OSError:
                break  # the program has closed its end
        if asked < len(answers) and said.count("/N] ") + said.count("/n] ") > asked:
            os.write(here, (answers[asked] + "\n").encode())
            asked += 1
    os.close(here)
    return process.wait(timeout=20), said.replace("\r\n", "\n")
