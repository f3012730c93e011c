"""Wrong content under right checksums."""

import json
from random import Random
from typing import Any

import safetensors.torch
import torch

from qrnn_circuits.job_store.records import seal_json
from qrnn_circuits.training import checkpoint as checkpoints
from tests.fuzz.mutations import changed_bytes, changed_value, to_json

SCHEMAS = (
    "ALTER TABLE jobs RENAME TO others; CREATE VIEW jobs AS WITH RECURSIVE n(x) AS "
    "(SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT others.* FROM others, n",
    "CREATE TRIGGER t AFTER UPDATE ON jobs BEGIN DELETE FROM jobs; END",
    "ALTER TABLE jobs ADD COLUMN a AS (hex(zeroblob(400000000)))",
    "ALTER TABLE jobs DROP COLUMN seed",
    "DROP TABLE jobs",
    "PRAGMA user_version = 99",
)
"""What changes the file of jobs into another database."""


def forged_checkpoint(rng: Random, content: bytes) -> bytes:
    """A checkpoint with another value or another tensor, and the checksum of these."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["qrnn-circuits"])
    tensors = dict(safetensors.torch.load(content))
    text = header["content"]
    if rng.random() < 0.5:
        text = to_json(changed_value(rng, json.loads(text)))
    else:
        name = rng.choice(list(tensors))
        match rng.randrange(6):
            case 0:
                del tensors[name]
            case 1:
                tensors[name] = tensors[name].repeat(2, *[1] * max(tensors[name].ndim - 1, 0))
            case 2:
                tensors[name] = tensors[name].to(
                    rng.choice((torch.int64, torch.float64, torch.uint8))
                )
            case 3:
                tensors[name] = tensors[name] * float("nan")
            case 4:
                tensors[name] = torch.zeros(rng.choice(((), (0,), (3, 3), (1000, 1000))))
            case _:
                tensors[name] = tensors[rng.choice(list(tensors))].clone()
    try:
        digest = checkpoints._digest(text, tensors)
    except UnicodeEncodeError:
        return content[:-1]
    header |= {"content": text, "sha256": digest}
    if rng.random() < 0.1:
        header = changed_value(rng, header)
    return safetensors.torch.save(tensors, {"qrnn-circuits": to_json(header)})


def forged_array(rng: Random, content: bytes) -> bytes:
    """An array whose header promises something else."""
    shape = rng.choice(("(30,)", "(30, 2)", "(2, 15)", "()", "(-1,)", "(10**9,)", f"({10**18},)"))
    shape = rng.choice((shape, "(" * 4000, f"({'9' * 5000},)", f"({2**63},)", "(0, 2)", "(1.5,)"))
    kind = rng.choice(
        ("'|u1'", "'<f8'", "'|O'", "'<U9'", "'|V99999999'", "[('a','<f8')]", "5", "'x'")
    )
    order = rng.choice(("False", "True", "3"))
    header = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}}}"
    data = header.encode() + b"\n"
    if rng.random() < 0.3:
        data = changed_bytes(rng, data)
    start = b"\x93NUMPY" + bytes((rng.choice((1, 2, 2, 3, 9)), 0))
    return start + len(data).to_bytes(2 if start[6] == 1 else 4, "little") + data + content


def resealed(rng: Random, sealed: str) -> str:
    """A JSON object of the file of jobs with another value."""
    value: Any = changed_value(rng, json.loads(sealed.partition(" ")[2]))
    try:
        return seal_json("value", value)
    except (TypeError, ValueError):
        return sealed[:-1]


def stored(value: Any) -> Any:  # noqa: ANN401
    """A value as SQLite can keep it."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, int | float) and abs(value) < 2**63:
        return value
    return None if value is None else b"\xff\0odd"
