"""Recorded batches at the service: sending their jobs, and joining what these gave."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from qrnn_backends.ibm.sampler import sampler_for
from qrnn_backends.ibm.sampling import Pub
from qrnn_backends.ibm.service import (
    ConnectionLostError,
    JobFailedError,
    RuntimeService,
    ServiceError,
)
from qrnn_circuits.job_store import JobError, JobPendingError, JobRecord, JobStore


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
        except ServiceError as error:
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
            JobError: If the service has not received all of them.
            JobFailedError: If one failed or was cancelled, with the reason that the service gives.
            JobPendingError: If one is not done, and ``wait`` is false.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        where = f"job {record.id} on {record.backend}"
        names = self._names(record, number)
        done: dict[str, Any] = {}
        try:
            if wait and number > 1:
                # A job that has failed already is not to wait for the others.
                with suppress(JobPendingError):
                    self._look(names, done, wait=False)
            self._look(names, done, wait=wait)
        except JobFailedError as error:
            self._store.failed(record.id, str(error))
            raise JobFailedError(f"{where}: {error}") from None
        except JobPendingError as error:
            raise JobPendingError(f"{where}: {error}") from None
        return [done[name] for name in names]

    def _look(self, names: Sequence[str], done: dict[str, Any], *, wait: bool) -> None:
        """Adds the results of jobs that have become ready."""
        pending = []
        for place, name in enumerate(names, 1):
            which = "" if len(names) == 1 else f"number {place} of its {len(names)} jobs: "
            if name in done:
                continue
            try:
                done[name] = self._service.result(name, wait=wait)
            except JobFailedError as error:
                raise JobFailedError(f"{which}{error}") from None
            except JobPendingError as error:
                pending.append(f"{which}{error}")
        if pending:
            raise JobPendingError("; ".join(pending))

    def _names(self, record: JobRecord, number: int) -> list[str]:
        """The service's names of the jobs, which it is asked for where an answer was lost."""
        if record.service_job is not None:
            return record.service_job.split()
        # The process ended, or lost the connection, between recording and the last answer.
        found = [self._service.find(tag) for tag in tags(record, number)]
        names = [name for name in found if name is not None]
        if len(names) < number:
            which = "" if number == 1 else f": {number - len(names)} of its {number} jobs"
            raise JobError(
                f"job {record.id} on {record.backend} has not reached the service{which}; if it is "
                "not just being sent, submit it again"
            )
        self._store.submitted(record.id, " ".join(names))
        return names


def tags(record: JobRecord, number: int) -> list[str]:
    """By which the service's jobs of a batch are found again."""
    if number == 1:
        return [f"qrnn-{record.id}"]
    return [f"qrnn-{record.id}-{place}" for place in range(1, number + 1)]
