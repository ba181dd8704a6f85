"""``acclimate serve``: the HTTP service and the page."""

from __future__ import annotations

import msgspec

from acclimate.cli.options import Call, shared
from acclimate.config import Settings


@shared("host", "port")
def serve(call: Call) -> None:
    """Answer over HTTP and show the page, until Ctrl-C. Works on an empty home; there are no keys yet."""
    settings = find_port(call.settings)
    from acclimate.serve.run import run

    run(call.home, settings, lambda: call.out.document({"url": url(settings), "home": call.home.path}))


def find_port(settings: Settings) -> Settings:
    """Return ``settings`` with a port that is free now: the one they name, or any for 0.

    Raises:
        BusyError: The port is in use; names ``--port``.
        InputError: The host is no address of this machine.
    """
    from acclimate.serve.run import listen

    listener = listen(settings.serve.host, settings.serve.port)
    port = listener.getsockname()[1]
    listener.close()
    return msgspec.structs.replace(settings, serve=msgspec.structs.replace(settings.serve, port=port))


def url(settings: Settings) -> str:
    """Return the address of the page.

    Example:
        >>> url(Settings())
        'http://127.0.0.1:8080/'
    """
    host = settings.serve.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.serve.port}/"
