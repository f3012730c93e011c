"""The connection of Qiskit Runtime's client: the account, and what its errors mean."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

from qrnn_circuits.optional_packages import require_modules

UNAUTHORISED = frozenset({401, 403})
"""HTTP statuses of an account that the service does not accept."""

# How the client's warning begins if IBM Cloud does not turn the API key into an access token.
_NO_ACCESS = "Unable to retrieve IBM Cloud access token"

_NO_ACCOUNT = (
    "no account of IBM Quantum is to be found, so nothing was sent. Save one once with\n"
    "    from qiskit_ibm_runtime import QiskitRuntimeService\n"
    '    QiskitRuntimeService.save_account(token="<your API key>", instance="<your CRN>")\n'
    "or set the environment variables QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE. Chips whose names "
    "begin with fake_, such as fake_fez, are simulated here and need no account."
)
_DAMAGED = (
    "the file of saved accounts of IBM Quantum cannot be read, so nothing was sent: `qrnn doctor` "
    "names it; move it elsewhere, and save the account again by QiskitRuntimeService.save_account"
)


class NoAccountError(ValueError):
    """Qiskit Runtime finds no account, neither saved nor in the environment, or cannot read it."""


def connect(channel: str | None, instance: str | None) -> Any:  # noqa: ANN401
    """A ``QiskitRuntimeService`` for the account.

    Args:
        channel: As ``QiskitRuntimeService`` takes it; by default the account's.
        instance: As ``QiskitRuntimeService`` takes it; by default the account's.

    Raises:
        ImportError: If qiskit-ibm-runtime is not installed.
        NoAccountError: If there is no account, or the file of saved ones cannot be read.
    """
    require_modules("qiskit_ibm_runtime")
    from qiskit_ibm_runtime import QiskitRuntimeService
    from qiskit_ibm_runtime.accounts import AccountNotFoundError
    from requests import RequestException

    options = {"channel": channel, "instance": instance}
    service, lacking = None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            service = QiskitRuntimeService(
                **{name: value for name, value in options.items() if value is not None}
            )
        except AccountNotFoundError:
            lacking = _NO_ACCOUNT
        except JSONDecodeError as error:
            # An answer of the service that is no JSON is another matter.
            if isinstance(error, RequestException):
                raise
            lacking = _DAMAGED
    if service is None:
        # Outside of the handlers: what led to it holds the file, with its tokens.
        raise NoAccountError(lacking)
    # The client goes on without an access token, and waits a minute at every request.
    for warning in caught:
        if _NO_ACCESS in str(warning.message):
            raise _NoAccessError(str(warning.message))
        warnings.warn(warning.message, warning.category, stacklevel=2)
    return service


def statuses(error: BaseException) -> set[int]:
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
        self.status_code = 401 if status in UNAUTHORISED | {400} else -1


@contextmanager
def quiet() -> Iterator[None]:
    """Without a warning that may hold a credential."""
    with warnings.catch_warnings():
        # The request that follows would take a minute and fail.
        warnings.filterwarnings("error", _NO_ACCESS)
        yield
