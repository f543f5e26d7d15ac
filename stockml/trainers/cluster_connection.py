"""Connection to a Dask scheduler: its address, Dask's certificates for tls://, and a client that is silent itself."""

from __future__ import annotations

import logging
import ssl
import warnings
from contextlib import ExitStack
from typing import Any

from stockml.core.installation import install_command
from stockml.core.wording import cause
from stockml.trainers.cluster_workers import ClusterError, plain_errors

CONNECT_SECONDS = 10.0
LARGE_TASKS = "distributed.admin.large-graph-warning-threshold"  # advises scattering, which no worker's death survives
MISSING = (
    "--cluster needs Dask, which is not installed here; install it with "
    f"{install_command('cluster')}, or leave --cluster out"
)
TLS = "tls://"
AUTHORITY, CERTIFICATE, KEY = (f"distributed.comm.tls.{name}" for name in ("ca-file", "client.cert", "client.key"))
LOADER = "distributed.client.security-loader"  # a function of the user's that makes certificates
_LOGGERS = ("distributed.client", "distributed.core", "distributed.comm", "distributed.batched", "distributed.utils")


class ClusterUsageError(ClusterError):
    """Dask is not installed here, the address is not one of a scheduler, or its certificates cannot be used."""


def connect(address: str, stack: ExitStack) -> Any:
    """A client that logs and warns nothing, closed with the stack; its errors are told by us.

    Raises
    ------
    ClusterUsageError
        Where Dask is missing, or the address or the certificates are none.
    ClusterError
        Where the scheduler and this machine do not accept each other's certificates.
    WorkersLostError
        Where nobody answers.
    """
    try:
        import distributed
    except ImportError:
        raise ClusterUsageError(MISSING) from None
    except Exception as error:  # a file of Dask's configuration that is no YAML, say
        told = " ".join(str(error).split())[:200]
        raise ClusterUsageError(f"--cluster: Dask cannot read its configuration ({told}); correct it") from None
    import dask
    from distributed.comm.core import CommClosedError

    client_class: Any = distributed.Client
    _check_address(address)
    if address.startswith(TLS):
        _check_certificates(address)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)
    stack.enter_context(dask.config.set({LARGE_TASKS: "1 TiB"}))
    with plain_errors(address), warnings.catch_warnings():
        warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)  # ClusterWorkers checks versions
        try:
            client = client_class(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except CommClosedError:
            if address.startswith(TLS):
                raise ClusterError(
                    f"The scheduler at {address} and this machine do not accept each other's certificates; name "
                    "certificates of one authority on both sides, and tls:// only for a scheduler that has some."
                ) from None
            raise
    stack.callback(client.close, timeout=1)
    return client


def _check_address(address: str) -> None:
    from distributed.comm.addressing import get_address_host_port

    try:
        get_address_host_port(address)
    except ValueError:
        text = f"--cluster {address}: no address of a scheduler; write it as tcp://10.0.0.1:8786"
        raise ClusterUsageError(text) from None


def _check_certificates(address: str) -> None:
    """ClusterUsageError where Dask's configuration names none that can be used; their text is never told."""
    import dask
    import distributed

    if dask.config.get(LOADER, None):
        return
    for name in (AUTHORITY, CERTIFICATE, KEY):
        file = dask.config.get(name, None)
        if not file and name == KEY:  # it may stand in the certificate's file
            continue
        if not file or not isinstance(file, str):
            text = f"--cluster {address}: Dask's configuration names no {name}; set it there or by {_variable(name)}"
            raise ClusterUsageError(text)
        if "\n" in file:  # the certificate itself
            continue
        try:
            with open(file, "rb"):  # noqa: PTH123 - as Dask opens it
                pass
        except OSError as error:
            raise ClusterUsageError(
                f"--cluster {address}: {file}, the {name} of Dask's configuration, cannot be read ({cause(error)}); "
                "name another file"
            ) from None
    security: Any = distributed.Security
    try:
        security().get_connection_args("client")
    except (OSError, ValueError) as error:
        why = error.reason if isinstance(error, ssl.SSLError) and error.reason else type(error).__name__
        raise ClusterUsageError(
            f"--cluster {address}: {AUTHORITY}, {CERTIFICATE} and {KEY} of Dask's configuration are no certificates "
            f"and key that go together ({why}); name those of this cluster"
        ) from None


def _variable(name: str) -> str:
    """The variable of the environment for a setting of Dask's."""
    return "DASK_" + name.replace(".", "__").replace("-", "_").upper()
