"""Simultaneous translation: English for each phrase as soon as it can be said, over a user who
goes on talking.

What is said is no copy of anything, so nothing is announced on `act` but the agreement: `<every>
translate <text> english <end>`. Own utterances wait for each other; where one would wait for more
than two seconds the user pauses. Knows nothing of what the words mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from interplay.clock import NUM_SLOTS, SAMPLES_PER_SLOT
from interplay.data.bank import Clip
from interplay.data.families.clockwork import decided_turn, put
from interplay.data.families.listening import split_clip
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.languages.parts import Sentence
from interplay.data.texts.languages.sentences import sentence_of
from interplay.data.timeline import Standing
from interplay.turns import tokens

QUEUE_SLOTS = 40  # 2 s: no longer does an utterance wait for the one before it
SPARE_SLOTS = (2, 12)  # a user who waits does so a little longer
HESITATES, HESITATION_S = 0.08, (0.2, 0.9)  # at the border of two phrases
UNTRANSLATED = 0.2  # how often foreign talk comes before the agreement, and after its end
IN_ENGLISH = 0.12  # of the pieces: English, for which there is nothing to do
CLOSED, CLOSE_S = 0.6, 7.0  # how often it is ended, and the time that takes
FIRST_S = 9.0  # for the agreement's answer and one sentence


def translate(talk: Talk) -> bool:
    """Translation is agreed; the user goes on in another language; often it is ended."""
    asked = talk.source.user("translate", talk.rng)
    named = [language for language in LANGUAGES if language in asked.text.split()]
    language = named[0] if named else str(talk.rng.choice(LANGUAGES))
    if not talk.fits(seconds(asked) + FIRST_S):
        return False
    if talk.rng.random() < UNTRANSLATED:
        _untranslated(talk, language, seconds(asked) + FIRST_S)
    end = put(talk, asked)
    begun = decided_turn(end)
    encode = talk.timeline.tokenizer.encode
    agreed = [tokens.EVERY, *encode("translate"), tokens.TEXT, *encode("english")]
    talk.timeline.write("act", [*agreed, tokens.END], NUM_SLOTS * begun + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    talk.rest(0.3, 1.2)
    room_s = CLOSE_S if talk.rng.random() < CLOSED else 0.0
    Interpreter(talk).go_on(language, room_s)
    stopped = _close(talk, language) if room_s else talk.timeline.num_turns
    talk.timeline.running.append(Standing(begun, stopped, agreed))
    if not room_s:
        talk.cursor = talk.timeline.num_samples
    return True


def _untranslated(talk: Talk, language: str, room_s: float) -> None:
    """Foreign talk that nobody wants in English: it is written down."""
    clip = talk.source.user(language, talk.rng)
    if talk.fits(seconds(clip) + 1.2 + room_s):
        talk.user(clip)
        talk.rest(0.6, 1.2)


def _close(talk: Talk, language: str) -> int:
    """No more is wanted. Returns when."""
    talk.rest(0.3, 0.9)
    end = talk.user(talk.source.user("translate_off", talk.rng))[1]
    stopped = decided_turn(end)
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * stopped + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    if talk.rng.random() < UNTRANSLATED:
        talk.rest(0.4, 1.0)
        _untranslated(talk, language, 0.0)
    return stopped


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """pauses: samples of silence before which words. spoken: texts and their slots. free: the slot
    after the last of them. end: the sample with which the user ends."""

    pauses: Mapping[int, int]
    spoken: list[tuple[str, int]]
    free: int
    end: int


class Interpreter:
    """Sentence after sentence of the user, and their English."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.free = talk.timeline.spoken_until  # the slot from which the own voice is free

    def go_on(self, language: str, room_s: float) -> None:
        """Until only `room_s` seconds are left."""
        talk = self.talk
        room = int(room_s * SECOND)
        while True:
            if talk.rng.random() < IN_ENGLISH:
                clip = talk.source.user("statement", talk.rng)
                if talk.fits(seconds(clip) + room_s):
                    talk.user(clip)
                    self._breathe()
            clip = talk.source.user(language, talk.rng)
            planned = self.schedule(clip, sentence_of(clip.text))
            last = max(planned.end, planned.free * SAMPLES_PER_SLOT + SECOND // 2)
            if last + room > talk.timeline.num_samples:
                break
            self.say(clip, planned)
            self._breathe()
        talk.cursor = max(talk.cursor, self._ends())

    def _breathe(self) -> None:
        if self.talk.rng.random() < 0.7:
            self.talk.rest(0.1, 0.5)
        else:
            self.talk.rest(0.5, 1.6)

    def _ends(self) -> int:
        return (self.free + NUM_SLOTS) * SAMPLES_PER_SLOT  # it is played a micro-turn later

    def schedule(self, clip: Clip, sentence: Sentence) -> Schedule:
        """When what is said if the user begins at the cursor, and where he has to wait."""
        talk, shift, free = self.talk, 0, self.free
        pauses: dict[int, int] = {}
        spoken: list[tuple[str, int]] = []
        pieces = {said.after: said.text for said in sentence.english}
        for phrase in range(len(sentence.source)):
            word = sentence.num_words(phrase)
            pause = 0
            if phrase and talk.rng.random() < HESITATES:
                pause = int(talk.uniform(*HESITATION_S) * SECOND)
            end = talk.cursor + shift + int(clip.words[word - 1][2] * SECOND)
            if text := pieces.get(phrase):
                late = free - talk.timeline.answer_slot(end + pause) - QUEUE_SLOTS
                if late > 0:
                    pause += (late + int(talk.rng.integers(*SPARE_SLOTS))) * SAMPLES_PER_SLOT
                slot = max(free, talk.timeline.answer_slot(end + pause))
                spoken.append((text, slot))
                free = slot + 1 + num_slots(talk.source.own(text))
            if pause:
                pauses[sentence.num_words(phrase - 1)] = pause
                shift += pause
        end = talk.cursor + shift + int(clip.words[-1][2] * SECOND)
        return Schedule(pauses=pauses, spoken=spoken, free=free, end=end)

    def say(self, clip: Clip, planned: Schedule) -> None:
        """The user says the sentence, the model its English."""
        talk, done = self.talk, 0
        for word, pause in planned.pauses.items():
            if word:
                before, clip = split_clip(clip, word - done)
                talk.user(before, goes_on=done > 0)
                done = word
            talk.cursor += pause
        talk.user(clip, goes_on=done > 0)
        for text, slot in planned.spoken:
            talk.timeline.speak(talk.source.own(text), slot)
        self.free = planned.free


def num_slots(own: Clip) -> int:
    """How long an own utterance sounds."""
    assert own.mel is not None, "the own voice's clips have mel frames"
    return len(own.mel) // 4
