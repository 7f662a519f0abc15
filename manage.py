#!/usr/bin/env python3
"""The one door: `python3 manage.py up`, `python3 manage.py test`, and every Django command.

This file keeps to a syntax that old Pythons can read, so that a wrong one prints a sentence instead of a traceback."""

import os
import subprocess
import sys

SUPPORTED = ((3, 11), (3, 12))
PROBE = "import sys, ensurepip; sys.exit(0 if sys.version_info[:2] in %r else 1)" % (SUPPORTED,)


def main():
    # type: () -> int
    """Run the command in a supported Python, or say which one to install."""
    if os.name != "posix":
        sys.stderr.write("MikroBot runs on Linux and macOS. On Windows, use it inside WSL.\n")
        return 1
    if sys.version_info[:2] not in SUPPORTED:
        return hand_over()
    from mikrobot_platform import bootstrap

    return bootstrap.main(sys.argv)


def hand_over():
    # type: () -> int
    """Replace this process by a supported Python from PATH; answer 1 when there is none."""
    me = os.path.abspath(__file__)
    found = "%d.%d" % sys.version_info[:2]
    if not os.environ.get("MIKROBOT_HANDED_OVER"):
        for python in candidates():
            if runs(python):
                os.environ["MIKROBOT_HANDED_OVER"] = "1"
                os.execv(python, [python, me] + sys.argv[1:])
    sys.stderr.write(
        "MikroBot needs Python 3.11 or 3.12; this is Python %s (%s) and no other was found on PATH.\n"
        "Install one and run the same command again. Debian, Ubuntu: sudo apt install python3.11 python3.11-venv.\n"
        "macOS: brew install python@3.12. Anywhere: uv python install 3.12, or https://www.python.org/downloads/.\n"
        % (found, sys.executable)
    )
    return 1


def candidates():
    # type: () -> list[str]
    """List every file on PATH that calls itself a supported Python, newest version first."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    names = ["python%d.%d" % version for version in reversed(SUPPORTED)]
    paths = [os.path.join(folder, name) for name in names for folder in folders if folder]
    return [path for path in paths if os.access(path, os.X_OK)]


def runs(python):
    # type: (str) -> bool
    """Tell whether it really is one: a pyenv shim stands on PATH for versions that are not selected."""
    with open(os.devnull, "r+b") as nothing:
        try:
            return subprocess.call([python, "-c", PROBE], stdin=nothing, stdout=nothing, stderr=nothing) == 0
        except OSError:
            return False


if __name__ == "__main__":
    sys.exit(main())
