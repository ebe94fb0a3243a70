"""For tests that run servers and check what comes of it: checks that say what failed, a wait, and a
directory that is left behind only when they fail."""
import argparse
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "orders"))
from servers import free_port  # noqa: E402,F401


class Failure(Exception):
    """A check that did not hold."""


def check(holds, text):
    if not holds:
        raise Failure(text)


def until(what, question, seconds=180):
    """Asks until it neither fails nor says False; what it last said is in the failure."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if question() is not False:
                return
            last = ""
        except (OSError, Failure, ValueError) as error:
            last = ": %s" % error
        if time.monotonic() > deadline:
            raise Failure("%s did not happen within %d s%s" % (what, seconds, last))
        time.sleep(0.3)


def main(description, name, run):
    """The whole of a test program: `run(binary, directory)`; returns its exit status."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    args = parser.parse_args()
    work = tempfile.mkdtemp(prefix="millrace_%s_" % name)
    os.chmod(work, 0o755)  # PostgreSQL runs as its own user
    os.makedirs(os.path.join(work, "servers"))
    try:
        run(args.binary, work)
    except (Failure, RuntimeError) as error:
        print("FAILED: %s\nlogs and data are in %s" % (error, work), file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0
