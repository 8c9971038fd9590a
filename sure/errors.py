"""The one exception for mistakes a user can fix, and how entry points show it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class SureError(Exception):
    """Something the user can put right; the message names the file, line, key or utterance and what to do."""


def run(main: Callable[[], object]) -> None:
    """Call an entry point's `main` and exit: 0, or 2 with one `error:` line, or 130 when interrupted.

    Anything that is neither a SureError nor a full disk is a fault of the program and keeps its traceback.
    """
    try:
        main()
    except SureError as error:
        _fail(str(error), 2)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        place = f" while writing {error.filename}" if error.filename else ""
        _fail(f"the disk is full{place}; free some space and run the same command again", 2)
    except KeyboardInterrupt:
        _fail("interrupted; run the same command again to go on", 130)
    sys.exit(0)


def _fail(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
