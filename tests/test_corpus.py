"""A very small corpus: built in two goes, composed the same way after every resume."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.data import bank as bank_module
from interplay.data import compose
from interplay.data import corpus as corpus_module
from interplay.data.bank import MEL_CONFIG, Request
from interplay.data.command import session_table
from interplay.data.compose import ComposeConfig, Composer
from interplay.data.corpus import (
    USER_TAGS,
    Corpus,
    CorpusPlan,
    add_kinds,
    build_corpus,
    plan_requests,
)
from interplay.data.engines.diphones import SPEAKERS
from interplay.data.speech import synthesize
from interplay.data.texts import kinds
from interplay.data.texts.questions import split_of
from interplay.data.texts.watchwords import EYES_TAGS, replies
from interplay.data.timeline import MEL_FLOOR, SCORED_FROM
from interplay.errors import RecordError
from interplay.media.dmel import log_mel
from interplay.model.interaction import Inputs, InteractionModel
from interplay.model.named import model_config
from interplay.model.vocoder import HOP
from interplay.model.voice import VoiceHead
from interplay.recipes.batches import checked_sessions
from interplay.recipes.named import find_recipe
from interplay.train.batch import HistoryNoise
from interplay.train.said import say_all
from interplay.turns import tokens

QUIET = HistoryNoise(sigma=0.0, jitter=0.0, drop=0.0, smear=0.0)
OWN = "espeak:en-us+f3"
PLAN = CorpusPlan(scale=0.002, own_voice=OWN, user_engines=("espeak",), eyes=1)
CONFIG = ComposeConfig(batch_size=4, num_turns=30, long_from=0.5)


class Spoken:
    """The engine, which can be made to fail at one utterance. texts: what it spoke."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.stop_at: int | None = None
        self._speak = cache(synthesize)  # what is lost is made again

    def __call__(self, text: str, voice: str):
        if len(self.texts) == self.stop_at:
            raise KeyboardInterrupt
        self.texts.append((text, voice))
        return self._speak(text, voice)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Spoken]:
    """A corpus of which the first build was interrupted inside the second shard."""
    folder, engine = tmp_path_factory.mktemp("corpus"), Spoken()
    engine.stop_at = bank_module.SHARD_SIZE + 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bank_module, "synthesize", engine)
        with pytest.raises(KeyboardInterrupt):
            build_corpus(folder, PLAN, num_workers=1)
        with pytest.raises(RecordError, match="no corpus in"):
            Corpus(folder)
        engine.stop_at = None
        build_corpus(folder, PLAN, num_workers=1)
    return folder, engine


def opened(folder: Path) -> Corpus:
    return Corpus(folder, human=folder / "no recordings")


@pytest.fixture(scope="module")
def composer(built) -> Composer:
    return Composer(opened(built[0]), CONFIG)


def test_an_interrupted_build_goes_on(built):
    folder, engine = built
    wanted = {(request.text, request.voice, request.role) for request in plan_requests(PLAN)}
    corpus = opened(folder)
    assert len(corpus.bank) == len(wanted)
    assert len(engine.texts) == len(wanted) + 3  # all but the finished shard were made again


def test_plan_holds_every_kind_and_no_test_sentence():
    requests = plan_requests(PLAN)
    assert requests == plan_requests(PLAN)
    asked = [request for request in requests if request.role == "user"]
    assert {request.tag for request in asked} == {*USER_TAGS, *EYES_TAGS}
    assert all(request.voice.startswith("espeak:") for request in requests)
    assert {request.voice for request in requests if request.role == "own"} == {OWN}
    for tag in ("fact", "delegate", "statement", "listen"):
        texts = [request.text for request in asked if request.tag == tag]
        assert len(texts) >= 8 and {split_of(text) for text in texts} == {"train"}


def test_what_only_translations_need_is_not_read_aloud(composer):
    bank = composer.corpus.bank
    english = {bank.text(i) for i in bank.find(role="own", tag=kinds.ENGLISH)}
    rng = np.random.default_rng(0)
    assert len(english) > 10
    assert not english & {composer.corpus.phrase(rng, 9) for _ in range(400)}


def test_words_of_sentences_are_one_token_and_others_are_spelled(composer):
    encode = composer.corpus.tokenizer.encode
    assert [len(encode(text)) for text in ("seven plus five", "what colour is the")] == [3, 4]
    assert all(1 < len(encode(word)) <= 5 for word in ("umbrella", "elephant", "pocket"))


@pytest.mark.parametrize(
    "engine, is_varied", [("espeak", 0), ("flite", 1), ("festival", 1), ("pico", 1)]
)
def test_engines_of_few_speakers_are_played_at_other_speeds(built, monkeypatch, engine, is_varied):
    corpus = opened(built[0])
    clip = replace(corpus.bank.clip(0), engine=engine)
    monkeypatch.setattr(corpus.bank, "clip", lambda _: clip)
    rng = np.random.default_rng(1)
    lengths = [len(corpus.user("fact", rng).samples) for _ in range(30)]
    assert (len(set(lengths)) > 5) == is_varied
    assert len(clip.samples) in lengths


def test_shares_of_engines_left_out_go_to_the_others():
    plan = CorpusPlan(scale=0.02, user_engines=("espeak", "flite"))
    voices = [r.voice.split(":")[0] for r in plan_requests(plan) if r.role == "user"]
    assert 0.5 < voices.count("espeak") / len(voices) < 0.66
    assert set(voices) == {"espeak", "flite"}


def test_the_part_of_a_missing_voice_goes_to_its_engines_others():
    missing = tuple(f"festival:{name}:" for name in SPEAKERS if name != "mv")
    whole, less = (
        [r.voice for r in plan_requests(CorpusPlan(scale=0.05, missing_voices=m)) if r.tag]
        for m in ((), missing)
    )
    people, few = ([v.split(":")[1] for v in all_ if "festival" in v] for all_ in (whole, less))
    assert abs(len(people) / len(whole) - len(few) / len(less)) < 0.05
    assert set(few) == {"ked", "mv"}
    assert set(people) == {"ked", *SPEAKERS}


def test_the_part_of_an_engine_that_is_missing_goes_to_the_others():
    plan = replace(find_recipe("xs-drilled").corpus, scale=0.02)
    voices = {r.voice for r in plan_requests(plan) if r.role == "user"}
    assert not [voice for voice in voices if voice.startswith(plan.missing_voices)]
    assert {voice.split(":")[0] for voice in voices} == {"espeak", "flite", "festival"}


def test_a_plan_s_missing_voices_stay_missing(tmp_path, monkeypatch):
    asked: list[Request] = []
    monkeypatch.setattr(corpus_module, "build_bank", lambda path, r, workers: asked.extend(r))
    monkeypatch.setattr(corpus_module, "voices_not_installed", lambda _: ("espeak:en+",))
    missing = tuple(f"espeak:{accent}+" for accent in ("en-us", "en-029"))
    build_corpus(tmp_path, replace(PLAN, missing_voices=missing))
    noted = json.loads((tmp_path / "corpus.json").read_text())["missing_voices"]
    assert noted == [*missing, "espeak:en+"]
    assert not [r for r in asked if r.role == "user" and r.voice.startswith(tuple(noted))]


def test_a_corpus_gets_the_kinds_that_it_lacks_and_what_is_said_to_them(built, monkeypatch):
    folder, _ = built
    asked: list[Request] = []
    monkeypatch.setattr(corpus_module, "build_bank", lambda path, r, workers: asked.extend(r))
    add_kinds(folder, PLAN, ("reps", "enter"))
    assert {r.tag for r in asked if r.role == "user"} == {"reps", "enter"}
    assert {*replies()} <= {r.text for r in asked if r.role == "own"}
    planned = {(r.text, r.voice) for r in plan_requests(PLAN)}
    assert {(r.text, r.voice) for r in asked} <= planned


def test_a_run_is_checked_on_each_group_by_itself_on_sessions_it_never_sees(built, monkeypatch):
    monkeypatch.setenv("INTERPLAY_HUMAN", str(built[0] / "no recordings"))
    config = replace(
        CONFIG,
        mix=(("listen", 1.0), ("called", 1.0), ("cue", 0.0)),
        drilled=0.5,
        seen=0.5,
        seen_turns=40,
        eyes=(("count_objects", 1.0),),
    )
    found = checked_sessions(built[0], config, 3)
    assert list(found) == ["listening", "delegation", "drills", "eyes"]
    assert {len(sessions) for sessions in found.values()} == {3}
    acts = {group: [bool(e.streams.act.any()) for e in found[group]] for group in found}
    assert not any(acts["listening"]) and any(acts["delegation"])
    assert all(e.muted for e in found["drills"]) and not any(e.muted for e in found["eyes"])
    assert [len(e.streams) for e in found["eyes"]] == [40] * 3
    assert any(e.streams.camera.any() for e in found["eyes"])
    again = checked_sessions(built[0], config, 3)
    for one, other in zip(found["delegation"], again["delegation"], strict=True):
        np.testing.assert_array_equal(one.streams.hear, other.streams.hear)


def test_a_batch_is_a_function_of_seed_and_step(built, composer):
    again = Composer(opened(built[0]), CONFIG)
    first = composer.batch(5, 0.3)
    composer.batch(6, 0.3)
    for mine, theirs in zip(first, again.batch(5, 0.3), strict=True):
        for name in ("hear", "read", "heard", "say", "act", "voice", "voice_on"):
            a, b = getattr(mine.streams, name), getattr(theirs.streams, name)
            np.testing.assert_array_equal(a, b, err_msg=name)
        assert mine.streams.first_turn == theirs.streams.first_turn
        np.testing.assert_array_equal(mine.phones_user, theirs.phones_user)
    other = composer.batch(6, 0.3)
    assert not np.array_equal(first[0].streams.hear, other[0].streams.hear)
    assert not np.array_equal(first[0].streams.hear, first[1].streams.hear)


def test_dry_sessions_are_the_same_but_for_their_sound(built, composer):
    dry = Composer(opened(built[0]), CONFIG, dry=True)
    pairs = [(composer.batch(step, 1.0)[0], dry.batch(step, 1.0)[0]) for step in range(8)]
    for one, other in pairs:
        np.testing.assert_array_equal(one.streams.say, other.streams.say)
        assert one.dry is None and other.dry and len(other.dry.user.samples) == 3200 * 60
    assert any(one.scored_from for one, _ in pairs), "some begin in the middle"


def test_others_talk_behind_the_user_in_as_many_sessions_as_asked_for(built, monkeypatch):
    talking: list[list[np.ndarray]] = []

    def noted(user, own, rng, strength, *, others=()):
        talking.append(list(others))
        return user

    monkeypatch.setattr(compose.augment, "augment_track", noted)
    composer = Composer(opened(built[0]), replace(CONFIG, babble=0.3))
    timeline = composer.timeline(np.random.default_rng(0), 30, {"listen": 1.0})
    for seed in range(300):
        composer.microphone(timeline, np.random.default_rng(seed))
    amid = [seed for seed in range(300) if talking[seed]]
    assert 60 < len(amid) < 120
    composer.microphone(timeline, np.random.default_rng(amid[0]))
    assert len(talking[-1]) == compose.NUM_OTHERS
    for clip, before in zip(talking[-1], talking[amid[0]], strict=True):
        np.testing.assert_array_equal(clip, before)
    assert len({len(clip) for clip in talking[-1]}) > 2, "they say different things"
    composer.drilling(np.random.default_rng(amid[0]), 30)
    assert not talking[-1], "a session without a sound"


@pytest.mark.parametrize("progress, size, num_turns", [(0.0, 4, 30), (0.3, 4, 30), (0.5, 2, 60)])
def test_shapes_and_types(composer, progress, size, num_turns):
    batch = composer.batch(1, progress)
    assert len(batch) == size
    vocab_size = composer.corpus.tokenizer.vocab_size
    for example in batch:
        streams = example.streams
        assert streams.hear.shape == streams.voice.shape == (num_turns, 4, 4, 80)
        assert streams.hear.dtype == np.uint8 and streams.hear.max() < 16
        assert streams.voice.dtype == np.float32 and streams.voice_on.dtype == bool
        for name in ("read", "heard", "say", "act"):
            ids = getattr(streams, name)
            assert ids.shape == (num_turns, 4) and ids.dtype == np.int32
            assert ids.min() >= 0 and ids.max() < vocab_size
        assert example.phones_user.shape == example.phones_own.shape == (num_turns, 4)


def test_sound_is_never_constant_and_the_own_voice_has_a_floor(composer):
    speaking = 0
    for seed in range(3):
        mix = {"say_after_me": 0.5, "listen": 0.5}
        streams = composer.session(np.random.default_rng(seed), 50, mix, late=False).streams
        frames = streams.hear.reshape(len(streams), 16, 80)
        assert (frames != frames[:, :1]).any(axis=(1, 2)).all()  # in no micro-turn
        voiced = streams.voice[streams.voice_on]
        assert not streams.voice[~streams.voice_on].any()
        assert (voiced >= MEL_FLOOR).all()
        speaking += len(voiced)
    assert speaking > 20


def test_a_continuation_starts_at_a_note_and_scores_what_follows(composer):
    for seed in range(80):
        rng = np.random.default_rng(seed)
        example = composer.session(rng, 80, {"timer": 0.5, "every": 0.5}, late=True)
        if example.scored_from and tokens.NOTE in example.streams.act[0]:
            break
    else:
        pytest.fail("no continuation in 80 sessions")
    assert example.scored_from == SCORED_FROM
    assert example.streams.first_turn % 50 == 0 and len(example.streams) == 80
    running = example.streams.act[:3].reshape(-1)
    assert {tokens.TIMER, tokens.EVERY, tokens.CLOCK} & set(running.tolist())


def test_a_session_can_be_heard_and_read(composer):
    rng = np.random.default_rng(4)
    timeline = composer.timeline(rng, 25, {"listen": 1.0})
    track = composer.microphone(timeline, rng)
    assert track.shape == timeline.own.shape == (25 * 3200,)
    assert track.dtype == np.float32 and np.abs(track).max() <= 1 and not (track == 0).all()
    header, *lines = session_table(timeline.streams, timeline.tokenizer).splitlines()
    assert header.split() == ["time", "[s]", "voice", "read", "heard", "say", "act"]
    assert len(lines) == 25 and lines[-1].startswith("4.8")
    first = int(np.flatnonzero(timeline.streams.heard.any(axis=1))[0])
    word = timeline.tokenizer.decode(timeline.streams.heard[first].tolist())
    assert word and word in lines[first]


def test_what_a_model_says_lies_beside_the_sound_it_stands_for(composer, monkeypatch):
    """A model whose mean head says every slot as it was recorded."""

    def forward(self, inputs: Inputs, dtype: torch.dtype):
        voice = inputs.voice.flatten(1, 2)  # every slot reads the one before it
        late = torch.cat([voice[:, 1:], torch.zeros_like(voice[:, :1])], dim=1)
        return late.flatten(2).unflatten(1, inputs.voice.shape[1:3]), None

    monkeypatch.setattr(InteractionModel, "forward", forward)
    monkeypatch.setattr(VoiceHead, "mean", lambda self, hidden, say: hidden)
    monkeypatch.setattr(VoiceHead, "denormalize", lambda self, x: x)
    monkeypatch.setattr("interplay.train.said.HistoryNoise", lambda: QUIET)
    found = say_all(InteractionModel(model_config("tiny")), composer, 5)
    assert len(found) > 5
    for said in found:
        assert len(said.samples) == HOP * len(said.mel)
        heard = np.maximum(log_mel(said.samples, MEL_CONFIG), MEL_FLOOR)
        assert np.abs(heard - said.mel)[2:-2].mean() < 0.02


def test_batches_with_a_camera_are_drawn_by_seed_and_step_alone(built):
    config = replace(CONFIG, seen=0.5, seen_turns=40, eyes=(("count_objects", 1.0),))
    composer, again = (Composer(opened(built[0]), config) for _ in range(2))
    for step, has_camera in ((5, False), (6, True)):
        batch = composer.batch(step, 0.2)
        # 4 x 30 micro-turns of 8 positions are about as many as 1 x 40 of 20
        assert len(batch) == (1 if has_camera else 4)
        for one, other in zip(batch, again.batch(step, 0.2), strict=True):
            np.testing.assert_array_equal(one.streams.camera, other.streams.camera)
            np.testing.assert_array_equal(one.streams.see, other.streams.see)
            np.testing.assert_array_equal(one.streams.hear, other.streams.hear)
            assert one.streams.camera.any() == has_camera


def test_sessions_of_what_is_known_are_marked_and_hold_nothing_else(built):
    config = replace(CONFIG, num_turns=60, listening_until=0.0, mix=(("called", 1.0),), known=0.5)
    composer = Composer(opened(built[0]), replace(config, known_mix=(("listen", 1.0),)))
    sessions = [example for step in range(8) for example in composer.batch(step, 0.1)]
    known = [example for example in sessions if example.known]
    assert 8 < len(known) < 24
    assert not any(example.streams.say.any() for example in known)
    assert any(tokens.DELEGATE in e.streams.act for e in sessions if not e.known)
    listen = replace(config, mix=(("listen", 1.0),), known=0.0)
    plain = Composer(composer.corpus, listen).batch(3, 0.1)
    assert all(example.known for example in plain)
    for one, other in zip(plain, composer.batch(3, 0.1), strict=True):
        same = np.array_equal(one.streams.hear, other.streams.hear)
        assert same == other.known, "what is known is drawn as it would be by itself"


def test_drills_are_a_share_of_every_batch_and_more_at_the_start(built):
    config = replace(
        CONFIG, drilled=0.3, drilled_first=0.75, drilled_until=0.2, listening_until=0.0
    )
    composer = Composer(opened(built[0]), config)
    first = [[e.muted for e in composer.batch(step, 0.1)] for step in range(4)]
    assert all(sum(batch) == 3 for batch in first), "three of four"
    late = [composer.drills(step, 0.4, 4) for step in range(400)]
    assert {len(rows) for rows in late} == {1, 2}
    assert 0.27 < np.mean([len(rows) for rows in late]) / 4 < 0.33
    evenly = [composer.drills(step, 0.1, 8) for step in range(20)]
    assert all(sum(row < 4 for row in rows) == 3 for rows in evenly), "threads share the rows"
    drilled = [e for step in range(4) for e in composer.batch(step, 0.1) if e.muted]
    assert len({e.streams.heard.tobytes() for e in drilled}) == len(drilled)
    assert all(e.streams.hear.std() > 0 for e in drilled), "a room is never silent"
    plain = Composer(opened(built[0]), replace(config, drilled=0.0))
    rows = [row for row in range(4) if row not in composer.drills(7, 0.4, 4)]
    for row in rows:  # the others are what they would have been
        np.testing.assert_array_equal(
            plain.batch(7, 0.4)[row].streams.hear, composer.batch(7, 0.4)[row].streams.hear
        )
