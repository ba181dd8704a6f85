"""One process that serves until it is told to stop."""

from __future__ import annotations

import errno
import gc
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from rich.console import Console

from acclimate.config import Home, Settings
from acclimate.errors import BusyError, InputError
from acclimate.serve.app import make_app
from acclimate.serve.engine import Engine


def run(home: Home, settings: Settings, when_ready: Callable[[], None] = lambda: None) -> None:
    """Serve ``home`` until SIGINT or SIGTERM; then finish what was begun and return.

    Args:
        home: The folder; an empty or missing one is served too.
        settings: ``serve.host``, ``serve.port`` (0 takes a free one) and the rest.
        when_ready: Called once, when the log is caught up and the address was told.

    Raises:
        BusyError: The port is in use, or another process writes this home's log.
        CorruptError: The current snapshot is incomplete or altered.
        InputError: The host is not an address of this machine.
    """
    console = Console(stderr=True, highlight=False)
    listener = listen(settings.serve.host, settings.serve.port)
    try:
        engine = Engine(home, settings, settle=_settle)
        server = uvicorn.Server(_config(engine))
        host, port = settings.serve.host, listener.getsockname()[1]

        def ready() -> None:
            _announce(console, host, port)
            when_ready()

        engine.when_ready = ready
        engine.when_failed = lambda: setattr(server, "should_exit", True)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            _warn(console, host)
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            console.print("stopped")
        finally:
            signal.signal(signal.SIGTERM, before)
    finally:
        listener.close()
    if engine.failure is not None:
        raise engine.failure


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, so that a busy port is known before anything is loaded.

    Raises:
        BusyError: The port is in use; the message names ``--port``.
        InputError: The host is no address of this machine, or the port is not allowed.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise InputError(f"cannot listen on {host}: {error.strerror}; try 127.0.0.1", field="host") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} on {host} is in use; choose another with --port, as in --port {port + 1}"
            raise BusyError(message, code="port_in_use", field="port") from error
        message = f"cannot listen on {host} port {port}: {error.strerror}; choose another --host or --port"
        raise InputError(message, code="bad_address", field="host") from error
    return listener


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _settle() -> None:
    """Settle this process for what answers from now on; runs on the model thread."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # one user's row is too small to share between cores
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # the catalogue lives as long as it answers: no full collection walks it again


def _config(engine: Engine) -> uvicorn.Config:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return uvicorn.Config(
        make_app(engine),
        log_config=None,
        access_log=False,  # a query string holds ids
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def _warn(console: Console, host: str) -> None:
    if not is_loopback(host):
        console.print(
            f"[bold red]warning:[/bold red] {host} can be reached from other machines, and there are no keys "
            "yet: anyone who reaches this port can read and write everything. Use --host 127.0.0.1 unless "
            "something in front checks who asks."
        )


def _announce(console: Console, host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    console.print(f"Acclimate is at http://{shown}:{port}/ (stop with Ctrl-C)", markup=False)
