"""What the tests of talking share: a small tokenizer and a made-up conversation."""

import numpy as np

from interplay.clock import SAMPLES_PER_TURN
from interplay.talk.conversation import Conversation
from interplay.turns import tokens
from interplay.turns.tokens import END, Tokenizer, count_token
from interplay.turns.types import InputHalf, OutputHalf

TOKENIZER = Tokenizer.train(["drink water what is the weather hello there okay"] * 3, 400)


def timed(*ids: int, start_s: float = 0.0) -> list[tuple[int, float]]:
    return [(i, start_s + k) for k, i in enumerate(ids)]


def out(voice_on: bool = False, **streams) -> OutputHalf:
    pad = {name: (*streams.get(name, ()), 0, 0, 0, 0)[:4] for name in ("heard", "say", "act")}
    voice = np.full(SAMPLES_PER_TURN, 0.1 * voice_on, np.float32)
    return OutputHalf(**pad, voice_on=np.full(4, voice_on), voice=voice)


def quiet() -> InputHalf:
    return InputHalf(hear=np.zeros(SAMPLES_PER_TURN, np.float32))


def conversation() -> Conversation:
    """Forty micro-turns: a question, an answer over it, a timer, a delegation and its result."""
    talk = Conversation(TOKENIZER, title="<tiny> & co")
    hello, there = TOKENIZER.encode("hello"), TOKENIZER.encode("there")
    loud = np.sin(np.arange(SAMPLES_PER_TURN) / 9).astype(np.float32) / 3
    weather = [tokens.DELEGATE, *TOKENIZER.encode("weather"), END]
    timer = [tokens.TIMER, count_token(2), *TOKENIZER.encode("water"), END]
    acts = {3: timer, 8: [count_token(1)], 13: [tokens.DUE], 20: weather}
    for turn in range(40):
        speaks = 4 <= turn < 9
        half = InputHalf(
            hear=loud if 2 <= turn < 6 else quiet().hear,
            read=(tokens.RESULT, hello[0], END) if turn == 30 else (),
        )
        say = hello if turn == 4 else (there if turn == 7 else [])
        heard = there if turn in (3, 6) else ()
        act = acts.get(turn, [])
        assert len(act) <= 8
        talk.add(half, out(speaks, say=say, heard=heard, act=act[:4]), 10.0 + turn)
        if len(act) > 4:
            talk.act.push(timed(*act[4:], start_s=talk.length_s))
    talk.num_deadlines = talk.num_turns
    return talk
