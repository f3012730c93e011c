"""IBM's quantum computing service: connected late, asked again where the connection is lost."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, TypeVar

from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.connection import UNAUTHORISED, NoAccountError, connect, quiet, statuses
from qrnn_backends.ibm.redaction import redacted, secrets_of, without_secrets
from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.job_store import JobError, JobPendingError

_T = TypeVar("_T")

# Of an HTTP answer that is worth asking again: too many requests, or trouble at the other end.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 524})
# How states of a job begin that stay; a reason may follow, as in CANCELLED - RAN TOO LONG.
_FINAL = ("DONE", "ERROR", "CANCELLED")
# Seconds between two looks at a job that is not done.
_POLL_SECONDS = 2.0
# Characters of what a service says, many times what it says in a sentence.
_SHOWN = 2000


class ServiceError(JobError):
    """The service refuses what it was asked."""


class ConnectionLostError(ServiceError):
    """The service did not answer, however often it was asked."""


class JobFailedError(JobError):
    """A job ended without results."""


class JobCancelledError(JobFailedError):
    """A job was cancelled."""


class RuntimeService:
    """Qiskit Runtime's service, connected when it is first needed.

    The account comes from Qiskit Runtime: what ``QiskitRuntimeService.save_account`` saved, or the
    environment. No error that leaves here holds its token.

    Args:
        channel: As ``QiskitRuntimeService`` takes it; by default the account's.
        instance: As ``QiskitRuntimeService`` takes it; by default the account's.
        backoff: What is done where the connection is lost.
        service: A connected ``QiskitRuntimeService``, instead of channel and instance.
    """

    def __init__(
        self,
        channel: str | None = None,
        instance: str | None = None,
        backoff: Backoff | None = None,
        service: Any = None,  # noqa: ANN401
    ) -> None:
        self._channel = channel
        self._instance = instance
        self._backoff = backoff or Backoff()
        self._given = service
        self._service: Any = service
        # Secrets of saved accounts, during one question to the service.
        self._saved: list[object] | None = None

    def backend(self, name: str) -> Any:  # noqa: ANN401
        """A chip by name, with its calibration data.

        Raises:
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
            ValueError: If the account has no such chip.
        """
        from qiskit.providers.exceptions import QiskitBackendNotFoundError

        def find() -> Any:  # noqa: ANN401
            service = self._connected()
            try:
                backend = service.backend(name)
            except QiskitBackendNotFoundError:
                names = self._names(service)
                if name in names:
                    raise ConnectionError("its configuration could not be loaded") from None
                return names
            # Loads the calibration data while a lost connection can still be mended.
            _ = backend.target
            return backend

        found = self._ask(find, f"find the backend {name!r}")
        if not isinstance(found, list):
            return found
        near = get_close_matches(name, found, n=3, cutoff=0.4)
        raise ValueError(
            f"there is no backend {name!r} for this account"
            + (f"; close names are {', '.join(near)}" if near else "")
            + (f". It has {', '.join(sorted(found))}." if found else ". It has none.")
        )

    def least_busy(self, qubits: int) -> Any:  # noqa: ANN401
        """The chip with the shortest queue among those with enough qubits.

        Raises:
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
            ValueError: If no chip that works has so many qubits.
        """
        from qiskit.providers.exceptions import QiskitBackendNotFoundError

        def find() -> Any:  # noqa: ANN401
            service = self._connected()
            try:
                backend = service.least_busy(
                    min_num_qubits=qubits, simulator=False, operational=True
                )
            except QiskitBackendNotFoundError:
                return self._names(service)
            _ = backend.target
            return backend

        found = self._ask(find, "find the least busy backend")
        if isinstance(found, list):
            raise ValueError(
                f"no backend of this account works and has {qubits} qubits; it has "
                f"{', '.join(sorted(found)) or 'none'}"
            )
        return found

    def open(self, mode: str, backend: Any) -> Any:  # noqa: ANN401
        """What a sampler takes as its mode: the chip, or a new batch or session on it.

        Raises:
            ServiceError: If the service refuses, or cannot be reached.
        """
        from qiskit_ibm_runtime import Batch, Session

        if mode == "job":
            return backend
        kind = Batch if mode == "batch" else Session
        return self._ask(lambda: kind(backend=backend), f"open a {mode} on {backend.name}")

    def close(self, opened: Any) -> None:  # noqa: ANN401
        """Ends a batch or session; jobs in it that wait will still run."""
        self._ask(opened.close, "close the batch or session")

    def send(
        self,
        opened: Any,  # noqa: ANN401
        kind: Any,  # noqa: ANN401
        pubs: Sequence[Any],
        options: Mapping[str, Any],
        tag: str,
    ) -> str:
        """Sends one job, and never a second one where only the answer was lost.

        Args:
            opened: What :meth:`open` gave.
            kind: The class of the sampler.
            pubs: The primitive unified blocs: circuit, parameter values, shots.
            options: Of the sampler.
            tag: By which the job is found again, unique.

        Returns:
            The service's name of the job.

        Raises:
            ServiceError: If the service refuses, or cannot be reached.
        """
        sampler = kind(mode=opened, options=dict(options))
        sampler.options.environment.job_tags = [tag, *(sampler.options.environment.job_tags or ())]
        attempted = False

        def send() -> str:
            nonlocal attempted
            if attempted and (found := self._tagged(tag)):
                return found
            attempted = True
            with quiet():
                return str(sampler.run(pubs).job_id())

        return self._ask(send, "send the job")

    def find(self, tag: str) -> str | None:
        """The service's name of the job with a tag; None if it has received none.

        Raises:
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        return self._ask(lambda: self._tagged(tag), "look for the job")

    def results(self, service_job: str, *, wait: bool = True) -> Callable[[], Any]:
        """Looks whether a job is done; what reads its results, which a private job gives once.

        Args:
            service_job: The service's name of it.
            wait: Whether to wait until it is done.

        Raises:
            JobCancelledError: If it was cancelled.
            JobFailedError: If it failed, with the reason that the service gives.
            JobPendingError: If it is not done, and ``wait`` is false.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, has no results, or cannot be reached; so does what
                is returned.
        """
        doing = f"fetch the job {service_job}"
        job = self._ask(lambda: self._connected().job(service_job), doing)
        while not (status := self._ask(job.status, doing)).startswith(_FINAL):
            if not wait:
                raise JobPendingError(f"the job is {status} at the service ({service_job})")
            time.sleep(_POLL_SECONDS)
        if status == "CANCELLED":
            raise JobCancelledError(f"the job was cancelled ({service_job})")
        if status != "DONE":
            reason = self._told(self._ask(job.error_message, doing) or status)
            raise JobFailedError(f"the job failed, and the service says: {reason}")

        def read() -> Any:  # noqa: ANN401
            found = self._ask(job.result, doing)
            if found is None:
                raise ServiceError(
                    f"cannot {doing}: the service has no results of it any more, as of a private "
                    "job that was read before; submit it again"
                )
            return found

        return read

    def cancel(self, service_job: str) -> str:
        """Takes a job back, unless it has ended already.

        Args:
            service_job: The service's name of it.

        Returns:
            The state that it ended in: ``"CANCELLED"``, also where it was so before, ``"DONE"``,
            ``"ERROR"``, or one with a reason.

        Raises:
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError

        def cancel() -> str:
            job = self._connected().job(service_job)
            if (status := str(job.status())).startswith(_FINAL):
                return status
            try:
                job.cancel()
            except RuntimeInvalidStateError:
                # It may have ended since.
                if not (status := str(job.status())).startswith(_FINAL):
                    raise
                return status
            return "CANCELLED"

        return self._ask(cancel, f"cancel the job {service_job}")

    def _connected(self) -> Any:  # noqa: ANN401
        if self._service is None:
            self._service = connect(self._channel, self._instance)
        return self._service

    def _names(self, service: Any) -> list[str]:  # noqa: ANN401
        """Names of the account's chips."""
        # The client's method leaves out chips whose configuration it cannot load just now.
        listed = getattr(service, "_backends_info_per_instance", {}).values()
        names = [entry["name"] for entries in listed for entry in entries]
        if not names:
            # The client hides why there are none; this call fails if it is the connection.
            service.usage()
        return names

    def _tagged(self, tag: str) -> str | None:
        service = self._connected()
        # The client looks at one instance of the account at a time.
        for instance in service.instances():
            for job in service.jobs(job_tags=[tag], limit=1, instance=instance["crn"]):
                return str(job.job_id())
        return None

    def _ask(self, action: Callable[[], _T], doing: str) -> _T:
        """Runs an action, again while the connection is lost."""
        self._saved = None
        waits = self._backoff.waits()
        while True:
            failure: Exception
            try:
                with quiet(), redacted(self._clean):
                    return action()
            except (JobError, NoAccountError):
                raise
            except Exception as error:
                failure = self._failure(error, doing)
            wait = next(waits, None) if isinstance(failure, ConnectionLostError) else None
            if wait is None:
                # Outside of the handlers, so that no traceback leads to the client's own words.
                raise failure
            self._service = self._given
            time.sleep(wait)

    def _failure(self, error: Exception, doing: str) -> ServiceError:
        """What is told of an error of the client."""
        found = statuses(error)
        text = self._told(error)
        if isinstance(error, AttributeError | LookupError | TypeError):
            text = f"the service's answer cannot be read: {type(error).__name__}: {text}"
        if found & UNAUTHORISED:
            text = f"the service does not accept the account's token. {text}"
        elif -1 in found or found & _PASSING:
            return ConnectionLostError(
                f"cannot {doing}: the service did not answer {self._backoff.attempts} times. {text}"
            )
        return ServiceError(f"cannot {doing}: {text}")

    def _told(self, said: object) -> str:
        """What the client or the service says, in one line without the account's token."""
        return brief(self._clean(str(said)), _SHOWN)

    def _clean(self, text: str) -> str:
        """The text without the account's token, whoever put it there."""
        account = None if self._service is None else self._service.active_account()
        secrets = [os.environ.get("QISKIT_IBM_TOKEN"), *self._saved_secrets()]
        return without_secrets(text, [*secrets, *secrets_of(account or {})])

    def _saved_secrets(self) -> list[object]:
        from qiskit_ibm_runtime import QiskitRuntimeService

        if self._saved is None:
            # Reading may log, which comes back here.
            self._saved = []
            # A file of accounts that cannot be read gives the client no token either.
            with suppress(Exception):
                accounts = QiskitRuntimeService.saved_accounts()
                self._saved = [each for one in accounts.values() for each in secrets_of(one)]
        return self._saved
