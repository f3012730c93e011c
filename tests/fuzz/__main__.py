"""Fuzzes all readers for as long as wanted: ``python -m tests.fuzz --minutes 60``."""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz.attack import attack
from tests.fuzz.targets import Targets


def main() -> None:
    """Attacks one target after the other, and tells each kind of finding once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="Of the first input.")
    parser.add_argument("--targets", nargs="*", help="Names of some targets.")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        targets = Targets(Path(folder)).all()
        seed = arguments.seed
        while time.monotonic() < end:
            for name in arguments.targets or targets:
                tried[name] += 1
                try:
                    attack(targets[name], seed)
                except Exception as error:
                    cause = error.__cause__ or error
                    place = traceback.extract_tb(cause.__traceback__)[-1]
                    kind = f"{name}: {type(cause).__name__} in {place.filename}:{place.lineno}"
                    found[kind] += 1
                    if found[kind] == 1:
                        print(f"seed {seed}, {kind}\n{traceback.format_exc()[-6000:]}", flush=True)
            seed += 1
    print(f"seeds {arguments.seed} to {seed - 1}; inputs: {dict(tried)}; found: {dict(found)}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
