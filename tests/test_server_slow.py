"""What must not hold up the event loop or the clock: pictures being decoded, disks that write
records, readers who do not read.
"""

import asyncio
import json
import threading

import pytest

from interplay.background.contract import Ui
from interplay.clock import FakeClock
from interplay.engine import disk as disk_module
from interplay.engine.disk import DiskThread
from interplay.engine.record import RecordFiles, read_record
from interplay.server.auth import Visitor
from interplay.server.camera import Camera
from interplay.server.delegations import Outcome
from interplay.server.event_log import EventLog
from interplay.server.events import Ended, Notice, Turn
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary
from interplay.server.outbox import Outbox
from interplay.server.page import PageConnection
from interplay.server.page_wire import INPUT
from interplay.server.realtime import RealtimeConnection
from interplay.server.rtc_call import Call
from interplay.server.sockets import Gate, messages_of
from tests.server_helpers import (
    b64,
    beat,
    client,
    kinds,
    make_hub,
    only,
    opened,
    picture,
    received,
    settle,
    ticks_without,
    tidings,
)

CAMERA = {"camera": True}
CHART = Ui(id="c", kind="vega-lite", spec={"mark": "bar"})
FULL = OSError(28, "No space left on device")


class SlowCamera:
    """In the place of `Camera.tiles`: waits to be let go on, and remembers who it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go_on, self.begun = threading.Event(), threading.Event()
        self.threads: list[str] = []
        tiles = Camera.tiles

        def slow(camera: Camera, data: bytes):
            self.threads.append(threading.current_thread().name)
            self.begun.set()
            assert self.may_go_on.wait(30)
            return tiles(camera, data)

        monkeypatch.setattr(Camera, "tiles", slow)

    async def is_at_work(self) -> None:
        """The event loop goes on while a picture is being decoded, or this never returns."""
        async with asyncio.timeout(30):
            while not self.begun.is_set():
                await asyncio.sleep(0.001)


def live_picture(data: bytes) -> str:
    event = {"type": "interplay.input_video.append", "event_id": "p", "image": b64(data)}
    return json.dumps(event)


def realtime_item(item_id: str, data: bytes | None) -> str:
    part = {"type": "input_text", "text": "ten"}
    if data is not None:
        url = f"data:image/jpeg;base64,{b64(data)}"
        part = {"type": "input_image", "image_url": url}
    item = {"type": "message", "role": "user", "id": item_id, "content": [part]}
    return json.dumps({"type": "conversation.item.create", "event_id": item_id, "item": item})


def test_a_picture_is_decoded_beside_the_event_loop_and_the_next_message_waits(monkeypatch):
    hub, camera = make_hub(**CAMERA), SlowCamera(monkeypatch)
    live = client(hub, "video", "text")
    page = PageConnection(hub, Visitor())
    page.receive('{"type": "start"}')
    assert live.session and page.session
    received(live)
    typed = json.dumps({"type": "interplay.input_text.append", "text": "ten"})

    async def read(messages: list[str]) -> None:
        gate = Gate(live, hub)
        for message in messages:
            assert await gate.take(message)

    async def talk() -> None:
        reading = asyncio.create_task(read([live_picture(picture()), typed]))
        await camera.is_at_work()
        assert live.session and live.session.seat.num_waiting == 0, "order is kept"
        assert await Gate(page, hub).take(json.dumps({"type": "mute", "on": True})), "nobody else"
        camera.may_go_on.set()
        await reading
        assert await Gate(page, hub).take(INPUT.pack(1, 0, 0, 0, 0, 0) + picture())

    asyncio.run(talk())
    assert kinds(received(live)) == ["interplay.input_text.appended"]
    sessions = [live.session, page.session]
    assert all(each and each.seat.collect().half.see is not None for each in sessions)
    assert {name.rsplit("_")[0] for name in camera.threads} == {"interplay-pictures"}
    hub.stop()


def test_errors_of_pictures_are_answers_as_before_and_count():
    hub = make_hub(**CAMERA)
    live = client(hub, "video")
    received(live)

    async def talk() -> None:
        gate = Gate(live, hub)
        for data in (b"none", picture(2000, 1200, "PNG")):
            assert await gate.take(live_picture(data))
        for _ in range(11):
            assert await gate.take(live_picture(b""))

    asyncio.run(talk())
    errors = [message["error"] for message in received(live)]
    assert [error["code"] for error in errors[:2]] == ["invalid_image", "image_too_big"]
    assert errors[0]["client_event_id"] == "p" and errors[-1]["code"] == "picture_backpressure"
    value = hub.metrics.registry.get_sample_value
    assert value("im_rejects_total", {"reason": "image_too_big"}) == 1


def test_a_fast_camera_is_told_once_and_the_session_goes_on():
    hub = make_hub(limits=Limits(max_errors=3), **CAMERA)
    live, page = client(hub, "video"), PageConnection(hub, Visitor())
    page.receive('{"type": "start"}')
    received(live)
    page.outbox.take()
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    seen = dict.fromkeys((live, page), 0)

    async def film(adapter: LivePrimary | PageConnection, message: str | bytes) -> None:
        gate = Gate(adapter, hub)
        for _ in range(100):  # 10 s at 10 pictures a second
            clock.advance(0.1)
            assert await gate.take(message)
            assert adapter.session
            seen[adapter] += len(adapter.session.seat._tiles)
            adapter.session.seat._tiles.clear()

    asyncio.run(film(live, live_picture(picture())))
    asyncio.run(film(page, INPUT.pack(1, 0, 0, 0, 0, 0) + picture()))
    for adapter in (live, page):
        told = [
            json.loads(message) for message in adapter.outbox.take() if isinstance(message, str)
        ]
        assert [m["error"]["code"] for m in told] == ["picture_backpressure"]
        assert seen[adapter] == pytest.approx(12 + 60, abs=2) and adapter.session
        assert adapter.session.id in hub.sessions
    hub.stop()


def test_realtime_items_keep_their_order_behind_a_picture(monkeypatch):
    hub, camera = make_hub(**CAMERA), SlowCamera(monkeypatch)
    adapter = RealtimeConnection(hub, Visitor())

    async def talk() -> None:
        call = Call(hub, "127.0.0.1", 24_000)
        obeying = asyncio.create_task(call._obey(Gate(adapter, hub)))
        for item_id, data in (("a", picture()), ("b", None), ("c", b"none"), ("d", None)):
            call._receive(realtime_item(item_id, data))
        await camera.is_at_work()
        assert not only(received(adapter), "conversation.item.added")
        camera.may_go_on.set()
        async with asyncio.timeout(30):
            while call._waiting or adapter._conversation.last_id != "d":
                await asyncio.sleep(0.001)
        obeying.cancel()
        await call.close()

    asyncio.run(talk())
    messages = received(adapter)
    told = [m for m in messages if m["type"] in ("conversation.item.added", "error")]
    assert [m.get("item", {}).get("id") or m["error"]["event_id"] for m in told] == [*"abcd"]
    assert told[2]["error"]["code"] == "invalid_image"
    hub.stop()


def test_a_session_that_ends_while_its_picture_is_decoded_is_no_error(monkeypatch, caplog):
    hub, camera = make_hub(**CAMERA), SlowCamera(monkeypatch)
    live = client(hub, "video")
    session = live.session
    assert session

    async def talk() -> None:
        taking = asyncio.create_task(Gate(live, hub).take(live_picture(picture())))
        await camera.is_at_work()
        hub.close(session, "asked")
        camera.may_go_on.set()
        assert await taking

    asyncio.run(talk())
    assert kinds(received(live))[-1] == "session.closed" and not caplog.records
    assert session.seat.collect().half.see is None
    hub.stop()


def held_disk(hub) -> threading.Event:
    """Nothing is written until the event is set."""
    gate = threading.Event()
    assert hub.disk.post(lambda: gate.wait(30))
    return gate


def test_no_beat_waits_for_a_disk_and_nothing_is_lost_when_the_server_stops(tmp_path, monkeypatch):
    hub = make_hub(2, record_root=tmp_path)
    disk = held_disk(hub)
    (bad, _), (good, _) = (opened(hub, record=True) for _ in range(2))
    beat(hub, 2)
    assert not [*tmp_path.iterdir()], "the beats have gone on, and nothing is written yet"
    monkeypatch.setattr(hub.engine, "tick", ticks_without(hub, bad))
    beat(hub, 2)
    assert [*hub.sessions] == [good.id]
    hub.drain()
    hub.close(good, "drained")
    beat(hub)
    disk.set()
    hub.stop()
    counts = {len(read_record(folder)) for folder in tmp_path.iterdir()}
    assert counts == {2, 4}, "of the session that has failed, too"
    for folder in tmp_path.iterdir():
        last = json.loads((folder / "events.jsonl").read_text().splitlines()[-1])
        assert last["event"] == "ended"
    assert hub.disk and not hub.disk.post(print), "who comes later is told"


@pytest.mark.parametrize("place", ["__init__", "write", "close"])
def test_a_full_disk_ends_a_record_in_one_line_and_no_session(tmp_path, monkeypatch, caplog, place):
    hub = make_hub(2, record_root=tmp_path)

    close = RecordFiles.close

    def refuse(files: RecordFiles, *_args) -> None:
        if place == "close":
            close(files)
        files.folder = tmp_path / "r"
        raise files._device_error(FULL)

    monkeypatch.setattr(RecordFiles, place, refuse)
    (session, outbox), (_, other) = (opened(hub, record=record) for record in (True, False))
    for _ in range(4):
        beat(hub)
        settle(hub)
    notices = [] if place == "close" else ["recording_ended"]
    assert tidings(outbox) == notices and tidings(other) == []
    assert len(hub.sessions) == 2
    hub.close(session, "asked")
    beat(hub)
    hub.stop()
    (line,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "recording ended: cannot write the record" in line.getMessage()
    assert "No space left on device; choose a folder" in line.getMessage() and not line.exc_info


def test_a_disk_that_is_too_slow_ends_records_and_keeps_what_came_before(tmp_path, caplog):
    hub = make_hub(1, record_root=tmp_path)
    assert hub.disk
    hub.disk.max_waiting = 3
    disk = held_disk(hub)
    session, outbox = opened(hub, record=True)
    beat(hub, 6)
    assert tidings(outbox) == ["recording_ended"] and session.id in hub.sessions
    session.mute(True)
    texts = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert len(texts) == 2 and "too slow, 3 pieces of records wait" in texts[0]
    assert "events.jsonl: the disk is too slow" in texts[1]
    disk.set()
    hub.close(session, "asked")
    beat(hub)
    hub.stop()
    (folder,) = tmp_path.iterdir()
    assert 1 <= len(read_record(folder)) <= 3


def test_a_disk_thread_survives_a_bug_and_stops_waiting_for_a_dead_disk(monkeypatch, caplog):
    monkeypatch.setattr(disk_module, "CLOSE_S", 0.01)
    disk, gate, done = DiskThread(10), threading.Event(), []
    disk.post(lambda: 1 / 0)
    disk.post(lambda: done.append(threading.current_thread().name))
    disk.post(lambda: gate.wait(30))
    log = EventLog(None, disk.post)
    log.add(0, "nothing")
    disk.post(done.clear)
    disk.close()
    assert done == ["interplay-disk"]
    assert "was not written" in caplog.text and "they are lost" in caplog.text
    gate.set()
    disk._thread.join(30)
    assert not done


def charted(index: int) -> Turn:
    outcome = Outcome(delegation_id=f"dlg_{index}", content="ten", status="done", ui=CHART)
    return Turn(index=index, pcm=bytes(9600), outcomes=(outcome,))


async def read(outbox: Outbox, count: int) -> list:
    return [await outbox.get() for _ in range(count)]


def test_a_slow_reader_loses_charts_first_then_the_connection():
    async def talk() -> None:
        outbox = Outbox(10)
        for index in range(5):
            outbox.put(charted(index))
        kept = await read(outbox, 5)
        assert all(turn.outcomes[0].ui for turn in kept), "half full is not behind"
        for index in range(6):
            outbox.put(charted(index))
        warning, *thin = await read(outbox, 7)
        assert isinstance(warning, Notice) and warning.code == "reading_slowly"
        assert "6 messages wait" in warning.message and "\n" not in warning.message
        assert [turn.index for turn in thin] == [*range(6)], "sound is never left out"
        assert all(turn.pcm and turn.outcomes[0].content == "ten" for turn in thin)
        assert not any(turn.outcomes[0].ui for turn in thin)
        asyncio.get_running_loop().call_soon(outbox.put, charted(6))
        (caught_up,) = await read(outbox, 1)
        assert caught_up.outcomes[0].ui == CHART
        for index in range(11):
            assert not outbox.overflow.is_set()
            outbox.put(charted(index))
        assert outbox.overflow.is_set()

    asyncio.run(talk())


def test_what_was_missed_while_away_is_no_slowness():
    async def talk() -> None:
        outbox = Outbox(10)
        outbox.preload([charted(index) for index in range(40)])
        outbox.put(Ended(reason="asked"))
        assert all(turn.outcomes[0].ui for turn in await read(outbox, 40))

    asyncio.run(talk())


def test_what_a_slow_reader_still_gets_in_both_protocols_with_charts():
    hub = make_hub()
    live, page = client(hub, "ui", "delegations", "turns"), PageConnection(hub, Visitor())
    received(live)
    turn = charted(0).without_charts()
    messages = [json.loads(text) for text in live.encode(turn)]
    assert kinds(messages) == [
        "interplay.delegation.ended",
        "interplay.turn",
        "session.output_audio.delta",
    ]
    assert "interplay.ui" in kinds([json.loads(text) for text in live.encode(charted(0))])
    (message,) = page.encode(turn)
    assert isinstance(message, bytes) and b'"content":"ten"' in message and b"vega" not in message
    warning = Notice(code="reading_slowly", message="read faster")
    for adapter in (live, page):
        (text,) = messages_of(warning, adapter)
        assert json.loads(text)["code"] == "reading_slowly"


def test_the_stages_of_a_tick_have_names_of_their_own():
    hub = make_hub()
    opened(hub)
    beat(hub, 3)
    value = hub.metrics.registry.get_sample_value
    for stage in ("collect", "encode", "prefill", "decode", "codec", "deliver"):
        assert value("im_stage_seconds_count", {"stage": stage}) == 3, stage
    assert value("im_stage_seconds_count", {"stage": "model"}) is None
