"""Python runs this first where PYTHONPATH names this folder. It writes down which programs and addresses the process asks for."""

import os
import sys

PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"}
ADDRESSES = {"socket.getaddrinfo", "socket.connect", "socket.sendto"}

_told = open(os.environ["WATCHED"], "a", buffering=1)  # noqa: PTH123, SIM115 - open as long as the process


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in PROGRAMS:
        _told.write(f"program {event} {arguments!r}\n")
    elif event in ADDRESSES:
        named = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        _told.write(f"address {named!r}\n")


sys.addaudithook(watch)
