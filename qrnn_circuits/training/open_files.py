"""How many files a process may have open."""

from contextlib import suppress

# Those of Python and the libraries, and some for what is written meanwhile.
_OTHERS = 100


def allow_open_files(count: int) -> None:
    """Makes sure that this process may open some more files, by the system's leave.

    Args:
        count: How many.

    Raises:
        ValueError: The system does not allow as many.
    """
    try:
        import resource
    except ImportError:
        return
    kind, unlimited = resource.RLIMIT_NOFILE, resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(kind)
    needed = count + _OTHERS
    if soft == unlimited or soft >= needed:
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (needed, hard))
        return
    raise ValueError(
        f"seeds must be few enough for the {hard:,} files that a process may open here, of which "
        f"they take {needed:,}: train some of them in another folder, or raise `ulimit -n`"
    )
