"""The numbers that `/metrics` shows. Knows nothing of sessions or sockets.

Base unit is the second. Every server has its own registry, so several can live in one process.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

TICK_BUCKETS_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.3, 0.5)
STAGE_BUCKETS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
DELAY_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0)
LONG_BUCKETS_S = (0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300)


class Metrics:
    """All counters, gauges and histograms of one server.

    bytes_in, bytes_out: of messages since somebody last looked; plain numbers of the asyncio
    thread, as a locked counter costs a message more than most of what is done with it.
    """

    def __init__(self) -> None:
        self.bytes_in = self.bytes_out = 0
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"im_{name}", text, registry=registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"im_{name}", text, labels, registry=registry)

        def histogram(
            name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
        ) -> Histogram:
            return Histogram(f"im_{name}", text, labels, buckets=buckets, registry=registry)

        self.sessions_active = gauge("sessions_active", "sessions that hold a slot")
        self.slots_free = gauge("slots_free", "sessions that would still be admitted")
        self.batch_sessions = gauge("batch_sessions", "sessions in the newest tick")
        self.kv_tokens = gauge("kv_tokens", "positions in the caches of the live sessions")
        self.tick_lag = gauge("tick_lag_seconds", "start of the newest tick after its deadline")
        self.tick_duration = histogram(
            "tick_duration_seconds", "work of one tick on the engine's thread", TICK_BUCKETS_S
        )
        self.stage = histogram(
            "stage_seconds",
            "parts of a tick: collect, encode, prefill, decode, codec, deliver",
            STAGE_BUCKETS_S,
            ("stage",),
        )
        self.tick_misses = counter("tick_deadline_miss", "ticks that were not done in 200 ms")
        self.session_ticks = counter("session_ticks", "micro-turns of all sessions")
        self.model_cpu = counter(
            "model_cpu_seconds", "CPU time of the engine's thread inside the model"
        )
        self.input_gaps = counter("input_gap", "micro-turns filled in because no sound came")
        self.input_dropped = counter("input_dropped", "micro-turns dropped to catch up")
        self.output_overflows = counter("output_overflow", "connections lost by reading too slowly")
        self.output_underruns = counter(
            "output_underrun", "times a client said that it had played all that was sent"
        )
        self.resumes = counter("resume", "connections that took a session up again")
        self.rejects = counter("rejects", "requests that were refused", ("reason",))
        self.message_bytes = counter(
            "ws_bytes", "payload of messages on WebSockets and data channels", ("dir",)
        )
        self.rtc_calls = gauge("rtc_calls", "WebRTC peers")
        self.first_audio = histogram(
            "first_audio_seconds", "start of a session to the model's first sound", LONG_BUCKETS_S
        )
        self.playback_delay = histogram(
            "playback_delay_seconds", "sound sent but not played yet", DELAY_BUCKETS_S
        )
        self.delegations_inflight = gauge("delegations_inflight", "delegations without an answer")
        self.delegation = histogram(
            "delegation_seconds", "start to end of a delegation", LONG_BUCKETS_S, ("status",)
        )

    def text(self) -> bytes:
        """In Prometheus' text format. For the asyncio thread."""
        self.message_bytes.labels("in").inc(self.bytes_in)
        self.message_bytes.labels("out").inc(self.bytes_out)
        self.bytes_in = self.bytes_out = 0
        return generate_latest(self.registry)
