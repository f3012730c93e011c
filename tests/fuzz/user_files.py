"""The readers of what users bring to train on."""

import io
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from qrnn_circuits.tasks.forecast import Forecast
from qrnn_circuits.tasks.sequences import Sequences
from tests.fuzz.forging import forged_array
from tests.fuzz.judging import REFUSED, check_message
from tests.fuzz.mutations import TEXTS, changed_bytes, changed_value, odd_value


class UserFiles:
    """Targets for files of sequences and of series."""

    work: Path

    def series(self, rng: Random) -> None:
        """A table of numbers to forecast, and what a run keeps of it."""
        path = self.work / "series.csv"
        rows = [f"{time},{time % 7 / 3:.4g},{-(2.0**time)!r}" for time in range(20)]
        content = "\n".join(["time,value,power", *rows]).encode()
        path.write_bytes(changed_bytes(rng, content) if rng.random() < 0.7 else content)
        options: dict[str, Any] = {"data": str(path)}
        if rng.random() < 0.5:
            contents = {"inputs": ["a"], "targets": ["a"], "low": [0.0], "span": [1.0]}
            options["contents"] = changed_value(rng, {**contents, "checksum": "0" * 64})
        if rng.random() < 0.3:
            option = rng.choice(("window", "horizon", "points", "columns", "scaling"))
            options[option] = odd_value(rng)
        try:
            task = Forecast(**options)
            task.test()
        except REFUSED as error:
            check_message(error)

    def sequences(self, rng: Random) -> None:
        """A file of sequences: text, a table, or arrays, some of them with a header of its own."""
        kind = rng.choice(("txt", "csv", "npz"))
        path = self.work / f"own.{kind}"
        contents = {"txt": b"abc\tx\nbca\ty\n" * 9, "csv": b"0,1,1,x\n2,0,1,y\n" * 9}
        content = contents.get(kind) or self._arrays(rng)
        path.write_bytes(changed_bytes(rng, content) if rng.random() < 0.7 else content)
        options: dict[str, Any] = {"target": rng.choice(("next", "label"))}
        if rng.random() < 0.3:
            option = rng.choice(("target", "length", "validation_share", "test_share", "reading"))
            options[option] = odd_value(rng)
        if rng.random() < 0.3:
            known = {"alphabet": "abc", "symbols": 3, "classes": [], "starts": [0], "longest": 2}
            options["contents"] = changed_value(rng, {**known, "checksum": "0" * 64})
        try:
            Sequences(data=str(path), **options).test()
        except REFUSED as error:
            check_message(error)

    def _arrays(self, rng: Random) -> bytes:
        """An archive of arrays, of which some have other headers or other names."""
        buffer = io.BytesIO()
        method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, shape in (("x", (30, 2)), ("y", 30), ("lengths", 30)):
                array = io.BytesIO()
                np.save(array, np.resize((1, 2), shape))
                content = array.getvalue()
                if rng.random() < 0.2:
                    content = forged_array(rng, content[-480:])
                if rng.random() < 0.1:
                    text = rng.choice(TEXTS)[:2000].replace("\0", "_")
                    name = text.encode("utf-8", "replace").decode()
                archive.writestr(f"{name}.npy", content)
        return buffer.getvalue()
