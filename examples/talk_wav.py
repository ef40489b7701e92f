"""Talks from a sound file to a running `interplay serve`: the openai SDK, the Live protocol.

    python examples/talk_wav.py examples/audio/count_to_ten.flac --out talk.wav

Prints both transcripts as they form and writes what was said: user left, model right. Where the
server wants a key, it is read from INTERPLAY_KEY. Knows nothing of what is behind the protocol.
"""

import argparse
import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from openai import AsyncOpenAI
from websockets.exceptions import WebSocketException

from interplay.errors import InterplayError
from interplay.media.audio import read_audio, write_wav

RATE_HZ = 16_000
TURN_SAMPLES = RATE_HZ // 5  # 200 ms: a micro-turn
SESSION: Any = {
    "model": "interplay",
    "audio": {"format": {"type": "audio/pcm", "rate": RATE_HZ}},
    "delegation": {"type": "responses", "responses": {"model": "what the server has"}},
}
SPEAKERS = {"session.input_transcript.delta": "user ", "session.output_transcript.delta": "model"}


async def talk(base_url: str, user: np.ndarray) -> np.ndarray:
    """Plays `user` (int16 [T], 16 kHz) to the model; what the model said meanwhile, likewise."""
    pieces = [user[i : i + TURN_SAMPLES].tobytes() for i in range(0, len(user), TURN_SAMPLES)]
    said = [bytes(2 * TURN_SAMPLES)]  # what comes is heard one micro-turn later
    key = os.environ.get("INTERPLAY_KEY", "none")
    async with AsyncOpenAI(api_key=key, base_url=base_url) as client, client.live.connect() as live:
        await live.session.start(session=SESSION)
        is_closing = False
        async for event in live:
            if event.type == "error":
                raise InterplayError(f"the server refused: {event.error.message}")
            if event.type in SPEAKERS:
                words: Any = event
                who, start_s = SPEAKERS[event.type], words.start_ms / 1000
                print(f"{start_s:6.1f} s  {who} {words.delta.strip()}", flush=True)
            if event.type == "session.output_audio.delta":
                said.append(base64.b64decode(event.delta))
            elif event.type != "session.started":
                continue
            # The server's clock is the pace: 200 ms go out for every 200 ms that came in.
            if pieces:
                sound = base64.b64encode(pieces.pop(0)).decode()
                await live.session.input_audio.append(audio=sound)
            elif not is_closing:
                is_closing = True
                await live.session.close()
    return np.frombuffer(b"".join(said), np.int16)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="what the user says: wav, flac, ogg or mp3")
    parser.add_argument("--out", type=Path, default=Path("talk.wav"), help="default: talk.wav")
    parser.add_argument("--url", default="http://127.0.0.1:8765/v1", help="base URL of the server")
    parser.add_argument("--wait", type=float, default=5, help="seconds to listen after the file")
    args = parser.parse_args()
    if not 0 <= args.wait <= 600:
        parser.error(f"--wait is {args.wait:g}; use 0 to 600 seconds")
    try:
        sound = np.append(read_audio(args.file).samples, np.zeros(round(args.wait * RATE_HZ)))
        user = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        model = asyncio.run(talk(args.url, user))
        both = np.zeros((max(len(user), len(model)), 2), np.float32)
        both[: len(user), 0], both[: len(model), 1] = user / 32768, model / 32768
        write_wav(args.out, both, RATE_HZ)
    except (OSError, WebSocketException) as error:
        hint = "start `interplay serve`, name another one with --url, or set INTERPLAY_KEY"
        print(f"talk_wav: no conversation with {args.url}: {error}; {hint}", file=sys.stderr)
        return 2
    except InterplayError as error:
        print(f"talk_wav: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {len(both) / RATE_HZ:.1f} s, user left, model right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
