"""Runs a command that must not outlive whoever started it: `python guardian.py COMMAND…`, standard input a pipe.

When the other end of the pipe is closed, even by the starter's violent death, the command's process group is told to
end, and killed ten seconds later.
"""

import os
import signal
import subprocess
import sys
import threading

PATIENCE = 10


def main(command: list[str]) -> int:
    """The exit code of `command`; 127 if it cannot be started."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{command[0]} cannot be run: {error}.", file=sys.stderr)
        return 127
    threading.Thread(target=_end_with_pipe, args=(child,), daemon=True).start()
    code = child.wait()
    return 128 - code if code < 0 else code


def _end_with_pipe(child: subprocess.Popen) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
