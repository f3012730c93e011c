"""Recorded batches at the service: sent as jobs, fetched in order, taken back."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from qrnn_backends.ibm.layout_checks import number_of_jobs
from qrnn_backends.ibm.sampler import sampler_for
from qrnn_backends.ibm.sampling import Pub
from qrnn_backends.ibm.service import (
    ConnectionLostError,
    JobCancelledError,
    JobFailedError,
    RuntimeService,
    ServiceError,
)
from qrnn_circuits.job_store import JobError, JobPendingError, JobRecord, JobStatus, JobStore


class ServiceJobs:
    """Batches that are on record here, each of one or several jobs of a service.

    Args:
        store: Where they are recorded; it keeps up with what the service says.
        service: The service.
    """

    def __init__(self, store: JobStore, service: RuntimeService) -> None:
        self._store = store
        self._service = service

    def send(
        self,
        record: JobRecord,
        opened: Any,  # noqa: ANN401
        jobs: Sequence[Sequence[Pub]],
        options: Sequence[Mapping[str, Any]],
    ) -> None:
        """Sends all jobs of a batch.

        Args:
            record: The batch.
            opened: What :meth:`RuntimeService.open` gave.
            jobs: What each job runs.
            options: Of the sampler for each job.

        Raises:
            ConnectionLostError: If the service does not answer; it may have received the job.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses a job. Those before it are cancelled.
        """
        sent: list[str] = []
        try:
            for pubs, given, tag in zip(jobs, options, tags(record, len(jobs)), strict=True):
                kind = sampler_for(given, [pub.circuit for pub in pubs])
                content = [pub.coercible() for pub in pubs]
                sent.append(self._service.send(opened, kind.sampler, content, given, tag))
        except ConnectionLostError as error:
            self._store.troubled(record.id, str(error))
            raise ConnectionLostError(
                f"{error}\nThe job is recorded as {record.id}: fetching it looks whether the "
                "service has received it."
            ) from None
        except Exception as error:  # Also of Qiskit's, and warnings that are made errors.
            self._store.failed(record.id, str(error))
            for name in sent:
                with suppress(ServiceError):
                    self._service.cancel(name)
            raise
        self._store.submitted(record.id, " ".join(sent))

    def results(self, record: JobRecord, number: int, *, wait: bool) -> list[Any]:
        """The sampler's results of the jobs of a batch, in order.

        Args:
            record: The batch.
            number: How many jobs it has.
            wait: Whether to wait until all are done.

        Raises:
            JobCancelledError: If one was cancelled.
            JobError: If the service has not received all of them.
            JobFailedError: If one failed, with the reason that the service gives.
            JobPendingError: If one is not done, and ``wait`` is false.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        where = f"job {record.id} on {record.backend}"
        names = self._names(record, number)
        done: dict[str, Callable[[], Any]] = {}
        try:
            if wait and number > 1:
                # A job that has failed already is not to wait for the others.
                with suppress(JobPendingError):
                    self._look(names, done, wait=False)
            self._look(names, done, wait=wait)
        except JobCancelledError as error:
            self._store.cancelled(record.id)
            raise JobCancelledError(f"{where}: {error}") from None
        except JobFailedError as error:
            self._store.failed(record.id, str(error))
            raise JobFailedError(f"{where}: {error}") from None
        except JobPendingError as error:
            raise JobPendingError(f"{where}: {error}") from None
        # Of a private job they can be read once, so that none is before all are there.
        return [done[name]() for name in names]

    def cancel(self, job_id: str) -> None:
        """Takes all jobs of a batch back from the service; to do so twice is no error.

        Of one that has failed, or was cancelled elsewhere, it takes back those that still wait.

        Args:
            job_id: Our name of the batch.

        Raises:
            JobError: If there is no such batch, it has ended already, it is simulated on this
                machine, or the service has received none of it.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        record = self._store.get(job_id)
        where = f"job {job_id} on {record.backend}"
        if record.status is JobStatus.DONE:
            raise JobError(f"{where} is done: `qrnn results {job_id}` gives its results")
        failed = record.status is JobStatus.FAILED
        if failed or record.status is JobStatus.CANCELLED:
            # Where one of several has ended so, the others would still run.
            names = (record.service_job or "").split()
            states = [self._service.cancel(name) for name in names] if len(names) > 1 else []
            if failed and "CANCELLED" not in states:
                raise JobError(f"{where} has failed already: {record.error}")
            return
        if record.seed is not None:
            raise JobError(f"{where} is simulated when it is fetched: there is nothing to cancel")
        number = number_of_jobs(job_id, self._store.program(job_id))
        names = self._received(record, number)
        if not names:
            raise _not_received(record, number, number)
        states = [self._service.cancel(name) for name in names]
        if "CANCELLED" not in states:
            raise JobError(
                f"{where} has ended already (the service says {', '.join(states)}): `qrnn results "
                f"{job_id}` gives what it has"
            )
        self._store.cancelled(job_id)

    def _look(
        self, names: Sequence[str], done: dict[str, Callable[[], Any]], *, wait: bool
    ) -> None:
        """Adds what reads the results of jobs that have become ready."""
        pending = []
        for place, name in enumerate(names, 1):
            which = "" if len(names) == 1 else f"number {place} of its {len(names)} jobs: "
            if name in done:
                continue
            try:
                done[name] = self._service.results(name, wait=wait)
            except JobFailedError as error:
                raise type(error)(f"{which}{error}") from None
            except JobPendingError as error:
                pending.append(f"{which}{error}")
        if pending:
            raise JobPendingError("; ".join(pending))

    def _names(self, record: JobRecord, number: int) -> list[str]:
        """The service's names of the jobs."""
        names = self._received(record, number)
        if len(names) < number:
            raise _not_received(record, number, number - len(names))
        if record.service_job is None:
            self._store.submitted(record.id, " ".join(names))
        return names

    def _received(self, record: JobRecord, number: int) -> list[str]:
        """Names of the jobs that the service has, which it is asked for where answers were lost."""
        if record.service_job is not None:
            return record.service_job.split()
        # The process ended, or lost the connection, between recording and the last answer.
        found = [self._service.find(tag) for tag in tags(record, number)]
        return [name for name in found if name is not None]


def _not_received(record: JobRecord, number: int, missing: int) -> JobError:
    which = "" if number == 1 else f": {missing} of its {number} jobs"
    return JobError(
        f"job {record.id} on {record.backend} has not reached the service{which}; if it is "
        "not just being sent, submit it again"
    )


class _Cancels(Protocol):
    """A device that takes jobs back."""

    def cancel(self, job_id: str) -> None: ...


class SubmittedJob(str):
    """The id of a job, which also takes it back.

    Example:
        >>> import pennylane as qml
        >>> from tempfile import mkdtemp
        >>> device = qml.device("qrnn.ibm", backend="fake_manila", jobs=f"{mkdtemp()}/jobs.sqlite")
        >>> job = device.submit([qml.tape.QuantumScript([], [qml.probs(wires=0)], shots=10)])
        >>> len(job)
        12
        >>> job.cancel()
        Traceback (most recent call last):
        ...
        qrnn_circuits.job_store.records.JobError: job ... is simulated when it is fetched: ...
    """

    _device: _Cancels

    def __new__(cls, job_id: str, device: _Cancels) -> "SubmittedJob":
        """Names a job.

        Args:
            job_id: The name.
            device: That which submitted it.
        """
        job = super().__new__(cls, job_id)
        job._device = device
        return job

    def cancel(self) -> None:
        """Takes the job back from the service, as the device's ``cancel`` does."""
        self._device.cancel(str(self))


def tags(record: JobRecord, number: int) -> list[str]:
    """By which the service's jobs of a batch are found again."""
    if number == 1:
        return [f"qrnn-{record.id}"]
    return [f"qrnn-{record.id}-{place}" for place in range(1, number + 1)]
