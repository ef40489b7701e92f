"""Who gets a request among replicas on Ray Serve: the one it means, else of those with free slots
the one with the fewest connections.

A `RequestRouter`, which Ray Serve offers for this and runs in its proxies. Knows nothing of
sessions.
"""

import pickle

from ray.serve.request_router import (  # pyright: ignore[reportMissingImports]
    FIFOMixin,
    PendingRequest,
    RequestRouter,
    RunningReplica,
)

from interplay.server.places import FREE, place_of


class StickyRouter(FIFOMixin, RequestRouter):
    """Ray then takes from the first list that is not empty whoever has the shortest queue; an open
    WebSocket is in it for as long as it lasts."""

    # A replica that is in the middle of a tick answers late; it is not to be passed over for that.
    queue_len_response_deadline_s = 2.0
    max_queue_len_response_deadline_s = 10.0

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        if pending_request is None:
            return [candidate_replicas]
        pending_request.routing_context.should_backoff = True  # when all are full
        place = pending_request.metadata.session_id or _place(pending_request)
        meant = [r for r in candidate_replicas if place and r.replica_id.unique_id == place]
        if meant:
            return [meant]  # who is gone cannot be meant: another one says so
        # Slots are held without a connection, too: by calls, and by sessions that wait for theirs.
        # What Ray knows of them is a second old or more; one that has not said yet may have some.
        free = [r for r in candidate_replicas if r.routing_stats.get(FREE, 1) > 0]
        return [free, candidate_replicas] if free else [candidate_replicas]


def _place(request: PendingRequest) -> str:
    """A proxy hands over its request as one pickled object of Ray's."""
    packed = next((arg for arg in request.args if isinstance(arg, bytes)), None)
    if packed is None:
        return ""
    scope = pickle.loads(packed).asgi_scope
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return place_of(scope["path"], scope.get("query_string", b"").decode("latin-1"), headers)
