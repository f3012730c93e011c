"""``qrnn.ibm``: a PennyLane device for IBM's chips, and for local models of them."""

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from math import inf
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.tape import QuantumScript
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import Result

from qrnn_backends.circuit_checks import check_measured
from qrnn_backends.ibm import sampling
from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.chip import RuntimeChip, check_backend, open_chip
from qrnn_backends.ibm.jobs import ServiceJobs, SubmittedJob
from qrnn_backends.ibm.layout_checks import check_layout, check_size, number_of_jobs
from qrnn_backends.ibm.options import check_circuits, sampler_options, with_time_limit
from qrnn_backends.ibm.prepared_batch import PreparedBatch, prepare_batch
from qrnn_backends.ibm.preprocess import Recipe, job_of, put_together
from qrnn_backends.ibm.service import JobCancelledError, JobFailedError, RuntimeService
from qrnn_backends.ibm.simulation import simulate
from qrnn_backends.ibm.usage import UsageEstimate
from qrnn_backends.mitigation import Mitigation, check_mitigation, resolve_mitigation
from qrnn_backends.qiskit_common import preprocess
from qrnn_backends.qiskit_common.program import programs
from qrnn_backends.readout import NoShotsKeptError
from qrnn_backends.seeds import random_generator
from qrnn_circuits.checks import plain
from qrnn_circuits.job_store import JobRecord, JobStatus, JobStore

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Mode = Literal["job", "batch", "session"]
logger = logging.getLogger(__name__)


@simulator_tracking
@single_tape_support
class IBMDevice(qml.devices.Device):  # type: ignore[misc]
    """Runs tapes with Qiskit Runtime's sampler: on IBM's chips, or on a local model of one.

    Mid-circuit measurements, resets and conditions run natively; shots that a postselected
    measurement rules out are dropped, and ``tracker`` counts the ``kept_shots`` of each tape whose
    results are given. A batch of tapes is one job, with one transpiled circuit for all tapes of
    one structure, unless IBM's limits for one job make it several, which are on record as one.
    Every job is recorded on disk before anything is sent or waited for, and :meth:`fetch` gives its
    results in any process, as often as wanted.

    Creating the device opens no connection. The account is Qiskit Runtime's own: saved by
    ``QiskitRuntimeService.save_account``, or in the environment (``QISKIT_IBM_TOKEN``,
    ``QISKIT_IBM_INSTANCE``). It is never recorded.

    Args:
        wires: Number of wires or their labels; by default those of each tape.
        backend: Name of a chip of the account; ``"least_busy"`` for the chip with the shortest
            queue; ``"fake_fez"`` and the like for a local model with that chip's calibration data;
            or a backend of Qiskit Runtime. Only :meth:`fetch` does without.
        mode: ``"job"``; or ``"batch"`` or ``"session"``, which is opened with the first job and
            lasts until :meth:`close` or the end of the device's ``with`` block. A local model has
            no queue, so that all do the same.
        noise: Whether a local model has the chip's noise.
        seed: Of local models; by default a new one for each device. Equal devices give equal
            results for an equal sequence of jobs.
        max_usage: Seconds of the chip's time that a batch may take: it is refused if the estimate
            is above, and the service is told to stop it there.
        options: Of Qiskit Runtime's sampler, under its names, such as ``{"dynamical_decoupling":
            {"enable": True}, "twirling": {"enable_gates": True, "enable_measure": True}}``, or as
            an object of either sampler. Local models refuse what the service does, and else ignore
            them.
        optimization_level: Of Qiskit's transpiler, from 0 to 3. From 1 on, gates that undo each
            other are cancelled unless barriers part them, also those folded for more noise.
        mitigation: None; or ``"m3"``, or another method as on qrnn.aer, for the readout errors in
            the calibration data that the device has of the chip. They are recorded with a job and
            the method's name, so that whatever device fetches the results corrects them.
        jobs: File of recorded jobs; by default ``$QRNN_JOBS``, or a file in the user's data folder.
        channel: As ``QiskitRuntimeService`` takes it; by default the account's.
        instance: As ``QiskitRuntimeService`` takes it; by default the account's.
        backoff: How often and when the service is asked again if the connection is lost.

    Raises:
        ImportError: If qiskit-ibm-runtime is not installed, or a package that ``mitigation`` needs.
        TypeError: If the backend, the noise, the options or the mitigation are of another type.
        ValueError: If an argument is out of range, there is no local model of a name, or it has
            fewer qubits than ``wires``.

    Example:
        >>> import pennylane as qml
        >>> from tempfile import mkdtemp
        >>> device = qml.device(
        ...     "qrnn.ibm", backend="fake_manila", noise=False, jobs=f"{mkdtemp()}/jobs.sqlite"
        ... )
        >>> flipped = qml.tape.QuantumScript([qml.X(0)], [qml.probs(wires=0)], shots=100)
        >>> job = device.submit([flipped])
        >>> device.fetch(job)
        (array([0., 1.]),)
    """

    name = "qrnn.ibm"

    def __init__(
        self,
        wires: Any = None,  # noqa: ANN401
        backend: Any = None,  # noqa: ANN401
        *,
        mode: Mode = "job",
        noise: bool = True,
        seed: int | None = None,
        max_usage: float | None = None,
        options: Any = None,  # noqa: ANN401
        optimization_level: int = 3,
        mitigation: str | Mitigation | None = None,
        jobs: Path | str | None = None,
        channel: str | None = None,
        instance: str | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        if mode not in ("job", "batch", "session"):
            raise ValueError(f"mode must be 'job', 'batch' or 'session', got {mode!r}")
        if not isinstance(noise, bool):
            raise TypeError(
                f"noise must be True or False on qrnn.ibm, whose backend is the chip, got {noise!r}"
            )
        if channel == "local":
            raise ValueError(
                "channel must be one of IBM's service, got 'local': a local model is given as the "
                "backend, such as backend='fake_fez'"
            )
        if max_usage is not None and not (isinstance(max_usage, Real) and 0 < max_usage < inf):
            raise ValueError(f"max_usage must be a positive number of seconds, got {max_usage!r}")
        level = plain(optimization_level)
        if not (isinstance(level, int) and level in range(4)):
            raise ValueError(
                f"optimization_level must be a whole number from 0 to 3, got {optimization_level!r}"
            )
        self._mitigation = check_mitigation(mitigation, noisy=noise)
        mitigated_by = self._mitigation.name if self._mitigation else None
        if mitigated_by:
            # Whoever fetches a job finds the method by its name.
            resolve_mitigation(mitigated_by)
        super().__init__(wires=wires)
        check_backend(backend, 0 if wires is None else len(self.wires))
        self._backend = backend
        self._mode = mode
        self._noise = noise
        self._generator = random_generator(seed)
        self._max_usage = max_usage
        self._options = sampler_options(options, mitigated_by)
        self._level = level
        self._store = JobStore(jobs)
        self._service = RuntimeService(
            channel, instance, backoff, service=getattr(backend, "service", None)
        )
        self._jobs = ServiceJobs(self._store, self._service)
        self._chip: RuntimeChip | None = None
        self._opened: Any = None
        self._transpiled: dict[str, QuantumCircuit] = {}

    def __enter__(self) -> "IBMDevice":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the batch or session; its jobs that wait will still run."""
        opened, self._opened = self._opened, None
        if opened is not None and self._mode != "job":  # For single jobs it is the chip.
            self._service.close(opened)

    def setup_execution_config(
        self, config: ExecutionConfig | None = None, circuit: QuantumScript | None = None
    ) -> ExecutionConfig:
        """Checks how a circuit is to be run; gradients are PennyLane's."""
        return preprocess.resolve_config(
            config or ExecutionConfig(), self.name, circuit, self.wires
        )

    def preprocess_transforms(
        self, execution_config: ExecutionConfig | None = None
    ) -> CompilePipeline:
        """The transforms after which a tape is one circuit."""
        config = execution_config or self.setup_execution_config()
        return preprocess.sampled_circuits(config, self.name, self.wires)

    def estimate(self, tapes: Sequence[QuantumScript]) -> UsageEstimate:
        """What a job of these tapes would take of the chip's time; nothing is sent.

        Args:
            tapes: As for :meth:`submit`. For a local model the estimate is the real chip's.
        """
        return self._prepared(self._job_of(tapes)[0]).estimate

    def submit(
        self, tapes: Sequence[QuantumScript], *, context: Mapping[str, Any] | None = None
    ) -> SubmittedJob:
        """Submits tapes as one job and returns at once.

        Args:
            tapes: With a number of shots each; some take several circuits of the job.
            context: Anything to be found again with the job: a JSON object.

        Returns:
            The id to :meth:`fetch` the results by, which can also be cancelled.

        Raises:
            ConnectionLostError: If the service does not answer. The job is recorded; if the service
                has received it after all, :meth:`fetch` finds it.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses the job.
            JobLimitError: If a circuit is above one of IBM's limits for a job by itself.
            TypeError: If ``tapes`` is no list of tapes, or ``context`` no JSON object.
            UsageLimitError: If the job would take more than ``max_usage``.
            ValueError: If a tape cannot run on the chip, measures nothing, is not for mitigation,
                or does not go with the options.
        """
        if context is not None and not isinstance(context, Mapping):
            raise TypeError(f"context must be a JSON object, got {context!r}")
        circuits, recipes = self._job_of(tapes)
        return SubmittedJob(self._submit(circuits, context, recipes), self)

    def fetch(self, job_id: str, *, wait: bool = True) -> tuple[Result, ...]:
        """The results of a job, in any process, as often as wanted.

        Args:
            job_id: What :meth:`submit` gave.
            wait: Whether to wait until the service has run the job.

        Returns:
            The result of each tape.

        Raises:
            ImportError: If its mitigation needs a package that is not installed.
            JobError: If there is no such job, or the service has not received it.
            JobCancelledError: If it was cancelled.
            JobFailedError: If it failed, with the reason that the service gives.
            JobPendingError: If it is not done, and ``wait`` is false.
            MitigationError: If the correction of readout errors fails.
            NoShotsKeptError: If postselection keeps no shot of a tape.
            ServiceError: If the service refuses to give the results, or cannot be reached.
        """
        # Of an id that is no text, nothing is recorded that could be damaged.
        self._store.get(job_id)
        with sampling.as_recorded(job_id):
            layout, bits = self._fetched(job_id, wait)
            return put_together(layout.get("recipes"), sampling.results(layout, bits))

    def cancel(self, job_id: str) -> None:
        """Takes a job back from the service, from any process; to do so twice is no error.

        Args:
            job_id: What :meth:`submit` gave.

        Raises:
            JobError: If there is no such job, it has ended already, it is simulated on this
                machine, or the service has not received it.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        self._jobs.cancel(job_id)

    def execute(
        self,
        circuits: Sequence[QuantumScript],
        execution_config: ExecutionConfig | None = None,
    ) -> tuple[Result, ...]:
        """Runs preprocessed tapes as one job and waits for the results.

        Args:
            circuits: As they come out of the device's preprocessing.
            execution_config: Not used: preprocessing has followed it.

        Raises:
            JobError: If the job cannot be sent or gives no results, as for :meth:`submit`.
            ValueError: If a tape measures nothing, cannot run on the chip or keeps no shot, the job
                would take too long, or there is no account.
        """
        check_measured(circuits)
        layout, bits = self._fetched(self._submit(circuits))
        try:
            return sampling.results(layout, bits)
        except NoShotsKeptError:
            # Only now is it worth the time to predict how many shots would be kept.
            return sampling.results(sampling.with_shares(layout, circuits), bits)

    def _fetched(self, job_id: str, wait: bool = True) -> tuple[dict[str, Any], bytes]:
        """The layout of a job and its bits."""
        record = self._store.get(job_id)
        if record.status is JobStatus.FAILED:
            raise JobFailedError(f"job {job_id} on {record.backend}: {record.error}")
        if record.status is JobStatus.CANCELLED:
            raise JobCancelledError(f"job {job_id} on {record.backend} was cancelled")
        layout = self._store.program(job_id)
        check_layout(job_id, layout)
        bits = self._store.bits(job_id)
        if bits is None:
            payload = self._store.payload(job_id)
            if payload is None:
                results = self._jobs.results(record, number_of_jobs(job_id, layout), wait=wait)
                bits = sampling.pack(layout, chain.from_iterable(results))
            else:
                pubs = sampling.from_payload(layout, payload)
                bits = sampling.pack(layout, simulate(record.backend, pubs, **layout["simulation"]))
            self._store.finished(job_id, bits)
        if self.tracker.active:
            for kept in sampling.kept_shots(layout, bits):
                self.tracker.update(kept_shots=kept)
                self.tracker.record()
        return layout, bits

    def _job_of(self, tapes: Sequence[QuantumScript]) -> tuple[list[QuantumScript], list[Recipe]]:
        config = self.setup_execution_config()
        return job_of(preprocess.measured_circuits(config, self.name, self.wires), tapes)

    def _prepared(self, tapes: Sequence[QuantumScript]) -> PreparedBatch:
        if not tapes:
            raise ValueError("tapes must hold at least one circuit")
        if not all(tape.shots for tape in tapes):
            raise ValueError("shots must be given on qrnn.ibm: a chip has no exact results")
        batch = programs(tapes)
        if self._chip is None:
            qubits = max(program.circuit.num_qubits for program in batch)
            self._chip = open_chip(self._backend, self._service, qubits=qubits, level=self._level)
        return prepare_batch(batch, self._chip, self._options, self._transpiled)

    def _submit(
        self,
        tapes: Sequence[QuantumScript],
        context: Mapping[str, Any] | None = None,
        recipes: Sequence[Recipe] | None = None,
    ) -> str:
        prepared = self._prepared(tapes)
        chip, estimate = prepared.chip, prepared.estimate
        for job in prepared.division.jobs:
            check_circuits(self._options, [pub.circuit for pub in job], [pub.shots for pub in job])
        logger.info("the job takes %s", estimate)
        estimate.check(self._max_usage)
        if prepared.division.reason is not None:
            logger.warning(prepared.division.reason)
        layout = prepared.layout(tapes, recipes, self._mitigation)
        check_size(layout["pubs"])
        seed = None
        if chip.local:
            # Qiskit takes 0 for no seed.
            seed = int(self._generator.integers(1, 2**31))
            layout["simulation"] = {"noise": self._noise, "seed": seed}
        elif self._opened is None:
            self._opened = self._service.open(self._mode, chip.backend)
        record = JobRecord(
            device=self.name,
            backend=chip.name,
            mode=self._mode,
            circuits=estimate.circuits,
            shots=estimate.shots,
            circuit_hash=sampling.circuit_hash(prepared.programs),
            usage=None if chip.local else estimate.seconds,
            seed=seed,
            context=dict(context or {}),
        )
        self._store.add(record, layout, sampling.to_payload(prepared.pubs) if chip.local else None)
        if self.tracker.active:
            self.tracker.update(jobs=len(prepared.division.jobs))
            self.tracker.record()
        if chip.local:
            self._store.submitted(record.id)
        else:
            self._jobs.send(
                record,
                self._opened,
                prepared.division.jobs,
                [
                    with_time_limit(self._options, self._max_usage, seconds / estimate.seconds)
                    for seconds in estimate.jobs
                ],
            )
        return record.id
