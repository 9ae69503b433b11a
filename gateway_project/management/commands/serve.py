"""`tallygate serve`: prepare, listen, drain."""

import logging
import os
import socket
import ssl
import sys
import threading
from argparse import SUPPRESS
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils.module_loading import import_string

from audit.rows import ChangeRefused
from gateway_project import env
from gateway_project.background import LOOK_AGAIN_S, Background
from gateway_project.bootstrap import FirstPerson, Started, bootstrap, first_words, keep_first_words, public_address
from gateway_project.config_file import remember_config
from gateway_project.config_reasons import explained
from gateway_project.locks import INSTANCE_LOCK, SessionLock, join_the_others, take_file_lock
from gateway_project.server import GatewayServer, ServerLimits, build_server
from gateway_project.supervisor import Supervisor, follow

LAST_PORT = 65_535
# As long as an orderly restart takes; then the other instance is there to stay.
PATIENCE_S = 30.0

NOT_STARTED = "the gateway did not start; the lines above say why"

log = logging.getLogger("tallygate.serve")


class Command(BaseCommand):
    help = "Starts the gateway: migrates, makes routes from the configuration file, listens, and drains on SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1; 0.0.0.0 for all)")
        parser.add_argument("--port", type=int, default=4000, help="port to listen on (default 4000)")
        parser.add_argument(
            "--workers", type=int, default=1, metavar="N", help="number of processes (default 1; more need PostgreSQL and Redis)"
        )
        parser.add_argument(
            "--reuse-port", action="store_true", help="let another instance listen on the same port, for a replacement without a gap"
        )
        parser.add_argument("--config", metavar="FILE", help="LiteLLM-style config.yaml; remembered for later starts and other commands")
        parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain in PEM form")
        parser.add_argument("--tls-key", type=Path, metavar="FILE", help="private key in PEM form")
        parser.add_argument("--no-background", action="store_true", help="leave periodic work to `tallygate worker` and `tallygate beat`")
        # How a supervisor starts a worker: the descriptors of its socket and of the line between the two.
        parser.add_argument("--worker", nargs=2, type=int, help=SUPPRESS)

    def handle(self, **options: Any) -> None:
        check_options(options)
        os.umask(0o077)
        if options["worker"]:
            work(options)
            return
        own_the_home(settings.TALLYGATE_HOME)
        listener = bound_socket(options["host"], options["port"], reuse_port=options["reuse_port"])
        if options["config"]:
            remember_config(settings.TALLYGATE_HOME, settings.TALLYGATE_CONFIG)
        warn_about_settings()
        lock = meet_the_others()
        address = public_address(options["host"], listener.getsockname()[1], is_tls=bool(options["tls_cert"]))
        for line in prepare(lambda first: self.introduce(first, address)).applied.left:
            log.warning("configuration file: %s", line)
        if options["workers"] == 1:
            server = make_server(options)
            self.run(partial(run, server, listener), lambda: server.started, address, options)
        else:
            supervisor = make_supervisor(options, listener)
            self.run(supervisor.run, supervisor.is_up.is_set, address, options)
        if lock:
            lock.release()

    def run(self, serve: Callable[[], bool], is_up: Callable[[], bool], address: str, options: dict[str, Any]) -> None:
        """Calls are served until a stop; what else this process does begins when they are, and ends after them."""
        background = Background(is_up)
        threading.Thread(target=self.announce, args=(is_up, address), daemon=True).start()
        if not options["no_background"]:
            background.start()
        if not serve():
            raise CommandError(NOT_STARTED)
        leave(is_clean=background.stop())

    def introduce(self, first: FirstPerson, address: str) -> None:
        text = first_words(first, address)
        if not sys.stdout.isatty():
            text = f"First start: address, sign-in link and keys are in {keep_first_words(text)}"
        self.stdout.write(text)
        self.stdout.flush()

    def announce(self, is_up: Callable[[], bool], address: str) -> None:
        """The line that people and scripts wait for: it comes when calls are answered, not before."""
        waiting = threading.Event()
        while not is_up():
            waiting.wait(LOOK_AGAIN_S)
        self.stdout.write(f"Tallygate answers at {address} (sign in: `tallygate admin login-link`)")
        self.stdout.flush()


def check_options(options: dict[str, Any]) -> None:
    if options["workers"] < 1:
        raise CommandError(f"--workers is {options['workers']}; 1 or more is needed")
    if options["workers"] > 1 and (missing := not_shared()):
        needed = " and ".join(missing)
        raise CommandError(f"--workers {options['workers']} needs stores that all of them share. Set {needed}, or leave out --workers")
    if not 0 <= options["port"] <= LAST_PORT:
        raise CommandError(f"--port is {options['port']}; ports go from 1 to {LAST_PORT}")
    if bool(options["tls_cert"]) != bool(options["tls_key"]):
        raise CommandError("--tls-cert and --tls-key belong together; give both or neither")
    if options["tls_cert"]:
        check_certificate(options["tls_cert"], options["tls_key"])


def not_shared() -> list[str]:
    """What several processes would need and this configuration lacks: one counts money exactly across them, the other rates."""
    missing = [] if connection.vendor == "postgresql" else ["DATABASE_URL (to a PostgreSQL database)"]
    return missing if settings.REDIS_URL else [*missing, "REDIS_URL"]


def check_certificate(chain: Path, key: Path) -> None:
    try:
        # an empty password, because without one a protected key would ask for it on the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password="")
    except ssl.SSLError:
        raise CommandError(
            "--tls-cert and --tls-key do not fit together; a PEM certificate chain and its key without a password are needed"
        ) from None
    except OSError as error:
        raise CommandError(f"--tls-cert {chain} or --tls-key {key} cannot be read: {error.strerror}") from None


def own_the_home(home: Path) -> None:
    """Held until this process ends: two servers on one SQLite database would each count their own money."""
    if connection.vendor == "sqlite" and take_file_lock(home / "serve.lock") is None:
        raise CommandError(
            f"another `tallygate serve` already runs on {home}. Stop it first, give this one its own TALLYGATE_HOME, "
            "or set DATABASE_URL to a PostgreSQL database that both may share"
        )


def meet_the_others() -> SessionLock | None:
    """On PostgreSQL without Redis an instance waits for others to end, as in a restart; then it starts all the same."""
    if connection.vendor != "postgresql" or settings.REDIS_URL:
        return None
    lock = SessionLock(INSTANCE_LOCK)
    if not join_the_others(lock, PATIENCE_S):
        log.warning("several instances without REDIS_URL: each holds rate limits by itself. Budgets are exact all the same")
    return lock


def bound_socket(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Bound before anything is prepared, so that a port in use is said at once; connections are refused until the server listens."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        listener.bind(where)
    except OSError as error:
        raise CommandError(f"cannot listen on {host} port {port}: {error.strerror}. Choose another with --host or --port") from None
    return listener


def warn_about_settings() -> None:
    """What was written and has no effect: said once, in one line each."""
    config = settings.TALLYGATE_CONFIG
    for line in explained(config.not_honoured):
        log.warning("%s: no effect here: %s", config.path, line)
    if config.missing:
        log.warning("%s refers to environment names that are not set: %s", config.path, ", ".join(config.missing))
    if settings.DEBUG:
        log.warning("TALLYGATE_DEBUG is on: error pages show details. Never in production")
    if unread := [name for name in env.unread() if name != "TALLYGATE_BROKER_URL"]:
        log.warning("no setting has this name: %s", ", ".join(unread))


def prepare(introduce: Callable[[FirstPerson], None]) -> Started:
    try:
        return bootstrap(introduce)
    except ChangeRefused as error:
        raise CommandError(f"the configuration cannot be applied: {error}") from error


def make_server(options: dict[str, Any]) -> GatewayServer:
    # by name: the data plane is imported when the databases are ready, and by no other command
    limits = ServerLimits(grace_s=settings.TALLYGATE_DRAIN_GRACE_S, drain_s=settings.TALLYGATE_DRAIN_S)
    application = import_string(settings.ASGI_APPLICATION)
    return build_server(
        application, host=options["host"], port=options["port"], tls_cert=options["tls_cert"], tls_key=options["tls_key"], limits=limits
    )


def run(server: GatewayServer, listener: socket.socket) -> bool:
    """Returns after a stop: whether it had started."""
    server.run(sockets=[listener])
    return server.started


def make_supervisor(options: dict[str, Any], listener: socket.socket) -> Supervisor:
    """Its workers are given the words that this process was given."""
    stop_s = settings.TALLYGATE_DRAIN_GRACE_S + settings.TALLYGATE_DRAIN_S
    return Supervisor([sys.executable, *sys.orig_argv[1:]], options["workers"], listener, stop_s=stop_s)


def work(options: dict[str, Any]) -> None:
    """One of several processes: the supervisor has prepared everything and does what is left beside calls."""
    listener, line = (socket.socket(fileno=descriptor) for descriptor in options["worker"])
    server = make_server(options)
    follow(server, line)
    if not run(server, listener):
        raise CommandError(NOT_STARTED)


def leave(*, is_clean: bool) -> None:
    """A background task that will not end must not keep the process; it is done again by the next start."""
    if not is_clean:
        log.warning("background work did not end in time and is cut off; the next start does it again")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
