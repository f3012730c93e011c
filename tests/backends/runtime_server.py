"""A quantum computing service on this machine that speaks the REST calls of qiskit-ibm-runtime.

The real client talks to it: nothing of Qiskit Runtime is replaced. It serves chips with the
calibration data of fake backends and runs their jobs on Aer without noise, by Runtime's own local
simulation where they are the executor's. Faults can be ordered.
"""

import base64
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0.models import ParamsModel, QuantumProgramResultModel
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder
from qiskit_ibm_runtime.fake_provider.executor.run_quantum_program import run_quantum_program
from qiskit_ibm_runtime.options_models.simulator import SimulatorOptions
from qiskit_ibm_runtime.quantum_program import QuantumProgram
from qiskit_ibm_runtime.quantum_program.converters.converters_2_0 import quantum_program_from_2_0
from samplomatic.quantum_program import SamplexItem

from qrnn_circuits.circuits.qiskit.mid_circuit import plain_instruction

TOKEN = "not-for-anyone-else-0123456789"
INSTANCE = "crn:v1:bluemix:public:quantum-computing:us-east:a/0:1::"


@dataclass
class Fault:
    """Something that goes wrong with the next requests of one kind.

    Attributes:
        method: The HTTP method.
        path: How the path starts, without the prefix.
        kind: ``"drop"`` closes the connection without doing anything; ``"lose"`` does what was
            asked and then closes the connection; a number is the status of the answer.
        times: How many requests it hits.
        message: In the answer.
    """

    method: str
    path: str
    kind: str | int
    times: int = 1
    message: str = "out of order"


@dataclass
class Job:
    """A job of the service."""

    id: str
    backend: str
    tags: list[str]
    params: dict[str, Any]
    payload: dict[str, Any]
    status: str
    reason: str | None = None
    read: bool = False

    @property
    def program(self) -> QuantumProgram:
        """What the executor is to run."""
        return quantum_program_from_2_0(self.model)[0]

    @property
    def model(self) -> ParamsModel:
        """What the executor's job was sent as."""
        return ParamsModel.model_validate(self.params)

    @property
    def circuits(self) -> list[QuantumCircuit]:
        """The circuits of the job, of either program."""
        if self.payload["program_id"] == "sampler":
            return [pub[0] for pub in self.params["pubs"]]
        return [item.circuit for item in self.program.items]


@dataclass
class RuntimeServer:
    """The service; use it as a context.

    Attributes:
        outcome: State that new jobs end in: ``"Completed"``, ``"Failed"``, ``"Cancelled"`` or
            ``"Queued"``.
        reason: What it says about jobs that fail.
        faults: What is to go wrong; used up in order.
        jobs: The jobs that it has received, by id.
        requests: How often each method and first part of a path was asked for.
    """

    outcome: str = "Completed"
    reason: str | None = None
    faults: list[Fault] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    chips: tuple[str, ...] = ("fez", "lima", "manila")

    def __enter__(self) -> "RuntimeServer":
        server = self

        class Handler(_Handler):
            service = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def environment(self, token: str = TOKEN) -> dict[str, str]:
        """Variables that point Qiskit Runtime's client here.

        A URL with the word "experimental" is taken as it is, and ``QISKIT_FUNCTIONS_EXPERIMENTAL``
        spares the search for the account's instances in IBM Cloud's catalogue. The last variable
        spares a look, at each request, at the source of every function that is being called.
        """
        url = f"http://127.0.0.1:{self._http.server_port}"
        return {
            "QISKIT_IBM_TOKEN": token,
            "QISKIT_IBM_URL": f"{url}/experimental",
            "QISKIT_IBM_INSTANCE": INSTANCE,
            "IAM_URL": url,
            "QISKIT_FUNCTIONS_EXPERIMENTAL": "1",
            "USAGE_DATA_OPT_OUT": "True",
        }

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that hits a request, which it uses up."""
        for fault in self.faults:
            if fault.method == method and path.startswith(fault.path) and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Any:  # noqa: ANN401
        """What a request gets: an object to send as JSON, or text as it is."""
        match method, *path.strip("/").split("/"):
            case "POST", "identity", "token":
                given = parse_qs(body.decode())["apikey"][0]
                if given != TOKEN:
                    return 400, {"errorMessage": f"Provided API key {given} could not be found."}
                return {"access_token": _access_token(), "token_type": "Bearer", "expires_in": 3600}
            case "GET", "backends":
                return {"devices": [self._device(chip) for chip in self.chips]}
            case "GET", "backends", name, "configuration":
                return _data(name, "conf") | {"backend_name": name}
            case "GET", "backends", name, "properties":
                return _data(name, "props") | {"backend_name": name}
            case "GET", "backends", name, "status":
                return {"state": True, "status": "active", "length_queue": 0}
            case "GET", "instances", "usage":
                return {"usage_consumed_seconds": 1}
            case "POST", "jobs":
                job = self._new_job(json.loads(body, cls=RuntimeDecoder))
                return {"id": job.id, "backend": job.backend}
            case "GET", "jobs":
                found = [
                    job for job in self.jobs.values() if set(query.get("tags", [])) <= set(job.tags)
                ]
                return {"jobs": [_state(job) for job in found], "count": len(found)}
            case "GET", "jobs", job_id:
                if job_id not in self.jobs:
                    return 404, {"error": {"message": "Job not found.", "code": 1291}}
                return _state(self.jobs[job_id])
            case "POST", "jobs", job_id, "cancel":
                job = self.jobs[job_id]
                if job.status in ("Completed", "Failed", "Cancelled"):
                    return 409, {"error": {"message": "Job not cancellable.", "code": 1293}}
                job.status = "Cancelled"
                return {}
            case "GET", "jobs", job_id, "results":
                return self._results(self.jobs[job_id])
            case "POST", "jobs", job_id, "cancel":
                self.jobs[job_id].status = "Cancelled"
                return {}
            case "POST", "sessions":
                session = json.loads(body) | {"id": uuid4().hex, "accepting_jobs": True}
                self.sessions[session["id"]] = session
                return session
            case "PATCH", "sessions", session_id:
                self.sessions[session_id] |= json.loads(body)
                return {}
        return 404, {"error": {"message": f"no route {method} {path}", "code": 0}}

    def _device(self, chip: str) -> dict[str, Any]:
        """What the list of chips says of one; the first has the longest queue."""
        return {
            "name": f"ibm_{chip}",
            "qubits": _data(chip, "conf")["n_qubits"],
            "status": {"name": "online"},
            "queue_length": len(self.chips) - self.chips.index(chip),
        }

    def _new_job(self, payload: dict[str, Any]) -> Job:
        job = Job(
            id=uuid4().hex[:20],
            backend=payload["backend"],
            tags=payload.get("tags", []),
            params=payload["params"],
            payload={name: value for name, value in payload.items() if name != "params"},
            status=self.outcome,
            reason=self.reason,
        )
        self.jobs[job.id] = job
        return job

    def _results(self, job: Job) -> str:
        if job.status != "Completed":
            return job.reason or ""
        if job.read and job.payload.get("private"):
            return ""
        job.read = True
        if job.payload["program_id"] == "executor":
            return _executed(job)
        sampler = BackendSamplerV2(
            backend=AerSimulator(n_qubits=156), options={"seed_simulator": 7}
        )
        for circuit in job.circuits:
            _plain_measurements(circuit)
        result = sampler.run([tuple(pub) for pub in job.params["pubs"]]).result()
        return json.dumps(result, cls=RuntimeEncoder)


def _state(job: Job) -> dict[str, Any]:
    state: dict[str, Any] = {"status": job.status}
    if job.reason is not None:
        state |= {"reason": job.reason, "reason_code": 1517}
    return {
        "id": job.id,
        "backend": job.backend,
        "state": state,
        "status": job.status,
        "tags": job.tags,
        "program": {"id": job.payload["program_id"]},
        "created": "2026-01-01T00:00:00.000Z",
    }


def _executed(job: Job) -> str:
    """The results of a job of the executor, as the service sends them."""
    program = job.program
    for item in program.items:
        if isinstance(item, SamplexItem):
            item.samplex.finalize()
        _plain_measurements(item.circuit)
    found = run_quantum_program(
        AerSimulator(), program, SimulatorOptions(seed_simulator=7, angle_decimals=15)
    )
    model = QuantumProgramResultModel(
        data=[
            {
                "results": {
                    name: CompressedTensorModel.from_numpy(values) for name, values in item.items()
                },
                "metadata": {},
            }
            for item in found
        ],
        metadata={"chunk_timing": []},
        passthrough_data=job.model.quantum_program.passthrough_data,
        semantic_role=job.model.quantum_program.semantic_role,
    )
    return str(model.model_dump_json())


def _plain_measurements(circuit: QuantumCircuit) -> None:
    """Replaces what Aer does not know."""
    for place, instruction in enumerate(circuit.data):
        operation = plain_instruction(instruction.operation)
        if operation is not instruction.operation:
            circuit.data[place] = instruction.replace(operation=operation)


def _data(name: str, kind: str) -> dict[str, Any]:
    chip = name.removeprefix("ibm_")
    folder = resources.files(f"qiskit_ibm_runtime.fake_provider.backends.{chip}")
    data: dict[str, Any] = json.loads((folder / f"{kind}_{chip}.json").read_text())
    return data


def _access_token() -> str:
    """A JSON web token, whose signature nobody checks."""
    now = int(time.time())
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iat": now, "exp": now + 3600}, {"sign": "ed"})
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )


class _Handler(BaseHTTPRequestHandler):
    service: RuntimeServer

    def _handle(self) -> None:
        url = urlsplit(self.path)
        path = url.path.removeprefix("/experimental")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.service.requests[f"{self.command} {'/'.join(path.split('/')[:2])}"] += 1
        fault = self.service.fault(self.command, path)
        if fault is not None and isinstance(fault.kind, int):
            answer: Any = fault.kind, {"error": {"message": fault.message, "code": fault.kind}}
        elif fault is not None and fault.kind == "drop":
            self.close_connection = True
            return
        elif path != "/identity/token" and not self._authorised():
            answer = 401, {"error": {"message": "Authentication failed.", "code": 1200}}
        else:
            answer = self.service.answer(self.command, path, parse_qs(url.query), body)
        if fault is not None and fault.kind == "lose":
            self.close_connection = True
            return
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _authorised(self) -> bool:
        given = self.headers.get("Authorization", "")
        return given == f"apikey {TOKEN}" or given.startswith("Bearer ey")

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""
