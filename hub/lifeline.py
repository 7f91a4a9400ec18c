"""The line between the supervisor and each of its children: when one of the two is gone, the other hears it."""

import os
import socket
import threading


def hold(descriptor: int) -> socket.socket:
    """Ends this process when the supervisor does, however that ended: a child that stayed would hold on to what it has."""
    line = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    return line


def _end_with(supervisor: socket.socket) -> None:
    try:
        supervisor.recv(1)
    finally:  # a reset, when the supervisor had not yet heard that this child is there
        os._exit(1)
