"""IBM's quantum computing service: connected late, asked again where the connection is lost."""

import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from typing import Any, TypeVar

from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.redaction import redacted, secrets_of, without_secrets
from qrnn_circuits.job_store import JobError, JobPendingError
from qrnn_circuits.optional_packages import require_modules

_T = TypeVar("_T")

# Of an HTTP answer that is worth asking again: too many requests, or trouble at the other end.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 524})
_UNAUTHORISED = frozenset({401, 403})
# States of a job that stay.
_FINAL = ("DONE", "ERROR", "CANCELLED")
# Seconds between two looks at a job that is not done.
_POLL_SECONDS = 2.0

# How the client's warning begins if IBM Cloud does not turn the API key into an access token.
_NO_ACCESS = "Unable to retrieve IBM Cloud access token"

_NO_ACCOUNT = (
    "no account of IBM Quantum is to be found, so nothing was sent. Save one once with\n"
    "    from qiskit_ibm_runtime import QiskitRuntimeService\n"
    '    QiskitRuntimeService.save_account(token="<your API key>", instance="<your CRN>")\n'
    "or set the environment variables QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE. Chips whose names "
    "begin with fake_, such as fake_fez, are simulated here and need no account."
)


class NoAccountError(ValueError):
    """Qiskit Runtime finds no account, neither saved nor in the environment."""


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

    def result(self, service_job: str, *, wait: bool = True) -> Any:  # noqa: ANN401
        """The result of a job.

        Args:
            service_job: The service's name of it.
            wait: Whether to wait until it is done.

        Raises:
            JobCancelledError: If it was cancelled.
            JobFailedError: If it failed, with the reason that the service gives.
            JobPendingError: If it is not done, and ``wait`` is false.
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        doing = f"fetch the job {service_job}"
        job = self._ask(lambda: self._connected().job(service_job), doing)
        while (status := self._ask(job.status, doing)) not in _FINAL:
            if not wait:
                raise JobPendingError(f"the job is {status} at the service ({service_job})")
            time.sleep(_POLL_SECONDS)
        if status == "CANCELLED":
            raise JobCancelledError(f"the job was cancelled ({service_job})")
        if status == "ERROR":
            reason = self._clean(str(self._ask(job.error_message, doing)))
            raise JobFailedError(f"the job failed, and the service says: {reason}")
        return self._ask(job.result, doing)

    def cancel(self, service_job: str) -> str:
        """Takes a job back, unless it has ended already.

        Args:
            service_job: The service's name of it.

        Returns:
            The state that it ended in: ``"CANCELLED"``, also where it was so before, ``"DONE"`` or
            ``"ERROR"``.

        Raises:
            NoAccountError: If there is no account.
            ServiceError: If the service refuses, or cannot be reached.
        """
        from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError

        def cancel() -> str:
            job = self._connected().job(service_job)
            if (status := str(job.status())) in _FINAL:
                return status
            try:
                job.cancel()
            except RuntimeInvalidStateError:
                # It may have ended since.
                if (status := str(job.status())) not in _FINAL:
                    raise
                return status
            return "CANCELLED"

        return self._ask(cancel, f"cancel the job {service_job}")

    def _connected(self) -> Any:  # noqa: ANN401
        if self._service is None:
            require_modules("qiskit_ibm_runtime")
            from qiskit_ibm_runtime import QiskitRuntimeService

            options = {"channel": self._channel, "instance": self._instance}
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                service = QiskitRuntimeService(
                    **{name: value for name, value in options.items() if value is not None}
                )
            # The client goes on without an access token, and waits a minute at every request.
            for warning in caught:
                if _NO_ACCESS in str(warning.message):
                    raise _NoAccessError(str(warning.message))
                warnings.warn(warning.message, warning.category, stacklevel=2)
            self._service = service
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
        from qiskit_ibm_runtime.accounts import AccountNotFoundError

        self._saved = None
        waits = self._backoff.waits()
        while True:
            failure: Exception
            try:
                with quiet(), redacted(self._clean):
                    return action()
            except AccountNotFoundError:
                failure = NoAccountError(_NO_ACCOUNT)
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
        statuses = _statuses(error)
        text = self._clean(str(error)).strip("'\"")
        if statuses & _UNAUTHORISED:
            text = f"the service does not accept the account's token. {text}"
        elif -1 in statuses or statuses & _PASSING:
            return ConnectionLostError(
                f"cannot {doing}: the service did not answer {self._backoff.attempts} times. {text}"
            )
        return ServiceError(f"cannot {doing}: {text}")

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


def _statuses(error: BaseException) -> set[int]:
    """HTTP statuses of an error and those behind it; -1 stands for no answer."""
    from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError
    from requests import RequestException

    found: set[int] = set()
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, IBMNotAuthorizedError):
            found.add(401)
        elif isinstance(current, (RequestException, ConnectionError, TimeoutError)):
            response = getattr(current, "response", None)
            found.add(-1 if response is None else response.status_code)
        else:
            # Of the errors of Qiskit's client and of IBM Cloud's; -1 is the client's own sign.
            status = getattr(current, "status_code", None)
            found.update([status] if isinstance(status, int) else [])
        current = current.__cause__ or current.__context__
    return found


class _NoAccessError(Exception):
    """IBM Cloud gives no access token; its own words may repeat the API key."""

    def __init__(self, text: str) -> None:
        found = re.search(r"Status code: (\d+)", text)
        status = None if found is None else int(found[1])
        super().__init__(f"IBM Cloud gives no access token (status {status or 'unknown'}).")
        # An unknown key is a bad request there.
        self.status_code = 401 if status in _UNAUTHORISED | {400} else -1


@contextmanager
def quiet() -> Iterator[None]:
    """Without a warning that may hold a credential."""
    with warnings.catch_warnings():
        # The request that follows would take a minute and fail.
        warnings.filterwarnings("error", _NO_ACCESS)
        yield
