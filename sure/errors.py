"""SureError, the exception for mistakes a user can correct; its wording; and the exit codes of entry points."""

import errno
import sys
from collections.abc import Callable, Collection, Sequence

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
# of a path that cannot be used: no permission, a read-only disk, a file in place of a folder or the other way round
UNUSABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


class SureError(Exception):
    """A mistake the user can correct; the message names the file, line, key or utterance, and what to do."""


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first `most` names in one line: `a, b, c and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(count: int, noun: str) -> str:
    """`1 recording`, `1,200 recordings`. noun: in the singular, with the plural in -s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def some_lines(lines: Sequence[str], most: int = 20) -> str:
    """The first `most` lines for the end of a message: a line each, indented, then `... and 3 more`."""
    more = [f"... and {len(lines) - most} more"] if len(lines) > most else []
    return "".join(f"\n  {line}" for line in [*lines[:most], *more])


def compare_names(found: Collection[str], expected: Collection[str], source: str, remedy: str = "") -> None:
    """Raise SureError that names the missing and the unexpected names of `source`, unless both sets are equal."""
    sides = (("missing", set(expected) - set(found)), ("unexpected", set(found) - set(expected)))
    if parts := [f"{len(names)} {side} ({some_of(sorted(names))})" for side, names in sides if names]:
        raise SureError(f"{source}: {', '.join(parts)}{remedy and '; ' + remedy}")


def remedy_for(error: OSError) -> str:
    """What the user can do about a file that could not be written."""
    if error.errno in UNUSABLE:
        return "change the permissions or choose another folder, and run the command again"
    return "free some space and run the same command again"


def run(main: Callable[[], object], status_of_error: int = 2) -> None:
    """Call the `main` of an entry point and exit: 0, or 130 when interrupted, or the status of an error.

    An error is one line `error: ...`.

    Any exception but SureError, a full disk and an unusable path is a fault of the program and keeps its traceback.
    """
    try:
        main()
        sys.exit(0)
    except SureError as error:
        message, status = str(error), status_of_error
    except OSError as error:
        if error.errno in DISK_FULL:
            place = f" while writing {error.filename}" if error.filename else ""
            message, status = f"the disk is full{place}; {remedy_for(error)}", status_of_error
        elif error.errno in UNUSABLE and error.filename:
            message, status = f"cannot use {error.filename}: {error.strerror}; {remedy_for(error)}", status_of_error
        else:
            raise
    except KeyboardInterrupt:
        message, status = "interrupted; run the same command again to continue", 130
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
