"""What tests of films share: traces of an item that shows one, files of grey frames."""

from pathlib import Path

import av
import numpy as np
from bench_helpers import hand_made, item, said

from interplay.data.item import Item, Show, When

FILM_S = 10.0
STARTS_S = 3.0  # of the film in the traces below


def shown(about: dict, subset: str = "") -> Item:
    show = Show(frames=list, length_s=FILM_S, at=When(seconds=2.0, after="cue_end", cue=0))
    made = item(said("look"), show, kind="seen", length_s=STARTS_S + FILM_S + 3.0)
    return Item(**{**made.__dict__, "about": {**about, "film_s": FILM_S}, "subset": subset})


def trace_of(what: Item, *spoken: tuple[str, float]):
    """Words (text, time of the film), each with 0.2 s of voice of its own."""
    times = [(text, STARTS_S + at_s) for text, at_s in spoken]
    voice = [(at_s, at_s + 0.2) for _, at_s in times]
    return hand_made(what, say=times, voice=voice, cues=((0.5, 1.0), (STARTS_S, STARTS_S + FILM_S)))


def write_video(path: Path, levels: list[int], rate: int = 30, size=(320, 240)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for level in levels:
            pixels = np.full((size[1], size[0], 3), level, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
