"""The one ASGI door: model calls go to the data plane, everything else to Django. Lifespan is answered here.

The data plane starts with lifespan, or with the first call under a server that has none.
"""

import asyncio
import os
import warnings
from ipaddress import ip_network

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

# Said for every static file: WhiteNoise hands out small files read in a thread, which is what we want of it.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
django_application = get_asgi_application()

from billing.drain import Drainer  # noqa: E402 - models can be imported only once Django is set up
from billing.journal import Journal  # noqa: E402
from billing.keeper import Keeper  # noqa: E402
from billing.rates_redis import LeasedRates, RedisLink  # noqa: E402
from console.apps import live_of_this_process  # noqa: E402
from console.live.door import websocket_application  # noqa: E402
from gateway_project.allow_list import AllowList  # noqa: E402
from gateway_project.memory import keep_freed_memory, leave_alone_what_is_loaded, use_large_pages  # noqa: E402
from gateway_project.server import ON_STOP_ASKED  # noqa: E402
from gateway_project.signed_tokens import signed_tokens  # noqa: E402
from gateway_project.under_way import Herald  # noqa: E402
from proxy.app import DataPlane  # noqa: E402
from proxy.asgi import App, Receive, Scope, Send  # noqa: E402
from proxy.checkup import Checkup  # noqa: E402
from proxy.guard import Guard  # noqa: E402
from proxy.limits import Limits  # noqa: E402
from proxy.plane import Plane  # noqa: E402
from proxy.refresh import Refresher  # noqa: E402
from proxy.table import is_ours  # noqa: E402
from proxy.upstream import Upstream  # noqa: E402
from routing.dialects.litellm_errors import TABLES  # noqa: E402


class Gateway:
    """Both planes of one process, and what runs beside them."""

    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._data_plane: DataPlane | None = None
        self._refresher: Refresher | None = None
        self._checkup: Checkup | None = None
        self._drainer: Drainer | None = None
        self._keeper: Keeper | None = None
        self._leases: LeasedRates | None = None
        self._live = live_of_this_process()
        self._herald: Herald | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_ours(scope["path"]):
            data_plane = self._data_plane or await self.start()
            await data_plane(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "websocket":
            await websocket_application(scope, receive, send)
        else:
            await django_application(scope, receive, send)  # type: ignore[arg-type]  # Django types the same dictionaries by kind

    async def start(self) -> DataPlane:
        async with self._starting:
            if self._data_plane is not None:
                return self._data_plane
            root = settings.TALLYGATE_HOME / "journal"
            await asyncio.to_thread(Drainer(root, None).drain_once)
            loop = asyncio.get_running_loop()
            journal = Journal(root, loop.call_soon, loop.call_later)
            self._keeper = Keeper(journal.folder.name, settings.TALLYGATE_LEASE_S)
            self._drainer = Drainer(root, journal.folder, self._keeper.posted)
            plane = Plane(
                journal,
                Upstream(journal.commit, settings.TALLYGATE_EGRESS_ALLOW),
                self._keeper.bank,
                limits=Limits(in_flight=settings.TALLYGATE_MAX_IN_FLIGHT, body_bytes=int(settings.TALLYGATE_BODY_LIMIT_MB * 1024 * 1024)),
                trusted_proxies=tuple(ip_network(item, strict=False) for item in settings.TALLYGATE_TRUSTED_PROXIES),
                key_header=settings.TALLYGATE_KEY_HEADER.lower().encode(),
                takes_aws_key_ids=settings.TALLYGATE_AWS_KEY_IDS,
                refusals=TABLES[settings.TALLYGATE_LITELLM_COMPAT],
                takes_test_fields=settings.TALLYGATE_LITELLM_TEST_FIELDS,
                signed_tokens=signed_tokens(
                    settings.TALLYGATE_SIGNED_TOKENS, settings.TALLYGATE_EGRESS_ALLOW, int(settings.TALLYGATE_DEFAULT_PARALLEL)
                ),
            )
            plane.start()
            await self._keeper.start()
            if settings.REDIS_URL:
                plane.rates = self._leases = LeasedRates(RedisLink(settings.REDIS_URL), await self._keeper.processes())
                self._leases.start()
            self._refresher = Refresher(plane, settings.TALLYGATE_MASTER_KEY, self._keeper.use, int(settings.TALLYGATE_DEFAULT_PARALLEL))
            await self._refresher.start()
            self._checkup = Checkup(plane)
            self._checkup.start()
            self._herald = Herald(plane, journal.folder.name, self._live.desk)
            self._herald.start()
            self._drainer.start()
            keep_freed_memory()
            leave_alone_what_is_loaded()
            use_large_pages()
            self._data_plane = DataPlane(plane)
            return self._data_plane

    async def stop(self) -> None:
        if self._data_plane is None or self._refresher is None or self._drainer is None or self._keeper is None:
            return
        plane, self._data_plane = self._data_plane.plane, None
        await self._live.stop()
        if self._herald is not None:
            await self._herald.stop()
        if self._checkup is not None:
            await self._checkup.stop()
        await self._refresher.stop()
        await plane.stop()
        await self._keeper.stop()
        if self._leases is not None:
            await self._leases.stop()
        await asyncio.to_thread(self._drainer.stop, 10.0)

    def leave(self) -> None:
        """A stop was asked for: readiness says no from now on, calls are still taken. Runs in a signal handler."""
        if self._data_plane is not None:
            self._data_plane.plane.is_leaving = True

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "state" in scope:
            scope["state"][ON_STOP_ASKED] = self.leave
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _front(app: App) -> App:
    """The addresses and the header by which one may call, where there are any."""
    said = settings.TALLYGATE_ALLOWED_IPS, settings.TALLYGATE_TRUSTED_PROXIES
    allowed, trusted = (tuple(ip_network(item, strict=False) for item in ranges) for ranges in said)
    refusals, header = TABLES[settings.TALLYGATE_LITELLM_COMPAT], settings.TALLYGATE_REQUIRED_HEADER
    return AllowList(app, allowed, trusted, refusals, header) if allowed or header else app


application = Guard(_front(Gateway()))
