"""Recorded jobs at the service: what they gave, and taking them back."""

from typing import Any, Protocol

from qrnn_backends.ibm.service import JobCancelledError, JobFailedError, RuntimeService
from qrnn_circuits.job_store import JobError, JobPendingError, JobRecord, JobStatus, JobStore


class ServiceJobs:
    """Jobs that are on record here and were sent to a service.

    Args:
        store: Where they are recorded; it keeps up with what the service says.
        service: The service.
    """

    def __init__(self, store: JobStore, service: RuntimeService) -> None:
        self._store = store
        self._service = service

    def result(self, record: JobRecord, *, wait: bool) -> Any:  # noqa: ANN401
        """The sampler's result of a job.

        Args:
            record: The job.
            wait: Whether to wait until it is done.

        Raises:
            JobCancelledError: If it was cancelled.
            JobError: If the service has not received it.
            JobFailedError: If it failed, with the reason that the service gives.
            JobPendingError: If it is not done, and ``wait`` is false.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        where = f"job {record.id} on {record.backend}"
        try:
            return self._service.result(self._service_job(record), wait=wait)
        except JobCancelledError as error:
            self._store.cancelled(record.id)
            raise JobCancelledError(f"{where}: {error}") from None
        except JobFailedError as error:
            self._store.failed(record.id, str(error))
            raise JobFailedError(f"{where}: {error}") from None
        except JobPendingError as error:
            raise JobPendingError(f"{where}: {error}") from None

    def cancel(self, job_id: str) -> None:
        """Takes a job back from the service; to do so twice is no error.

        Args:
            job_id: Our name of it.

        Raises:
            JobError: If there is no such job, it has ended already, it is simulated on this
                machine, or the service has not received it.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        record = self._store.get(job_id)
        where = f"job {job_id} on {record.backend}"
        if record.status is JobStatus.DONE:
            raise JobError(f"{where} is done: `qrnn results {job_id}` gives its results")
        if record.status is JobStatus.FAILED:
            raise JobError(f"{where} has failed already: {record.error}")
        if record.seed is not None:
            raise JobError(f"{where} is simulated when it is fetched: there is nothing to cancel")
        if record.status is JobStatus.CANCELLED:
            return
        status = self._service.cancel(self._service_job(record))
        if status != "CANCELLED":
            raise JobError(
                f"{where} has ended already (the service says {status}): `qrnn results {job_id}` "
                "gives what it has"
            )
        self._store.cancelled(job_id)

    def _service_job(self, record: JobRecord) -> str:
        """The service's name of a job, which it is asked for where the answer was lost."""
        if record.service_job is not None:
            return record.service_job
        # The process ended, or lost the connection, between recording and the answer.
        service_job = self._service.find(tag(record))
        if service_job is None:
            raise JobError(
                f"job {record.id} on {record.backend} has not reached the service; if it is not "
                "just being sent, submit it again"
            )
        self._store.submitted(record.id, service_job)
        return service_job


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


def tag(record: JobRecord) -> str:
    """By which the service's job is found again."""
    return f"qrnn-{record.id}"
