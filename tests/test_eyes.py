"""Learning to see: episodes with a camera, batches that mix sessions, training, the engine."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_scenarios import FakeSource, clip_of, emitted
from video_helpers import write_video

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data.example import Example
from interplay.data.families import eyes
from interplay.data.scenes import conduct, events, objects, reps
from interplay.data.scenes.sights import HAPPENS, QUESTIONS, UNKNOWN
from interplay.data.talk import Talk
from interplay.data.texts import questions
from interplay.data.texts.vocabulary import NUMBERS
from interplay.data.texts.watchwords import ASKS, EYES_TAGS, replies, training_asks
from interplay.data.timeline import Timeline
from interplay.engine.engine import Engine
from interplay.media.video_file import VideoFile
from interplay.model.checkpoint import Loaded, load_checkpoint, save_checkpoint
from interplay.model.interaction import Inputs, InteractionModel
from interplay.model.untrained import untrained
from interplay.train.batch import HistoryNoise, assemble
from interplay.train.loop import TrainConfig, train
from interplay.train.losses import LossConfig, Losses, compute_losses
from interplay.train.optim import OptimConfig
from interplay.train.probes import Probes
from interplay.turns.layout import lay_out
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import InputHalf, Streams

FAMILIES = {
    "count_reps": "reps",
    "entering": "enter",
    "leaving": "leave",
    "warn": "warn",
    "changes": "change",
    "start_stop": "action",
    "count_objects": "objects",
    "looking_on": "listen",
}


class Asking(FakeSource):
    """The user says `text` where something is asked of the camera."""

    def __init__(self, text: str) -> None:
        self.text = text

    def user(self, tag, rng):
        return clip_of(self.text) if tag in EYES_TAGS else super().user(tag, rng)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = [w for text in (*ASKS, *replies(), "river table okay") for w in text.split()]
    return Tokenizer.train([*words] * 20, 1024)


def talk_about(text: str, tokenizer: Tokenizer, seed: int, num_turns: int = 220) -> Talk:
    timeline = Timeline(num_turns, tokenizer)

    def arrive(clip):
        return clip.samples.astype(np.float32) / 32768

    return Talk(timeline, Asking(text), np.random.default_rng(seed), arrive, cursor=1000)


def said(talk: Talk) -> list[tuple[int, str]]:
    """(micro-turn, word) of everything on `say`, without the end marks and the first okay."""
    words = [(s // NUM_SLOTS, name.strip()) for s, name in emitted(talk.timeline, "say")]
    words = [(turn, word) for turn, word in words if word != "<end>"]
    return words[1:] if words[0][1] == "okay" else words


def watching(draw, found: list):
    """The same drawing; every film is kept in `found`."""

    def keep(*args, **kwargs):
        found.append(draw(*args, **kwargs))
        return found[-1]

    return keep


@pytest.fixture
def films(monkeypatch) -> list:
    """Every film that a family draws, newest last."""
    found = []
    for name in ("draw_reps", "draw_visit", "draw_conduct", "draw_events", "draw_action"):
        monkeypatch.setattr(eyes, name, watching(getattr(eyes, name), found))
    return found


def test_there_is_something_to_train_on_for_every_kind():
    for tag in EYES_TAGS:
        texts = training_asks(tag)
        assert all(questions.split_of(text) == "train" for text in texts)
        assert {ASKS[text].about for text in texts} == {
            ask.about for ask in ASKS.values() if ask.tag == tag
        }
    abouts = {ask.about for ask in ASKS.values()}
    assert abouts >= {*reps.KINDS, *conduct.KINDS, *events.KINDS, *objects.KINDS}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "name, text, moments",
    [
        ("count_reps", "count every rep aloud", lambda film: [end for _, end in film.cycles]),
        ("entering", "say friend when someone comes in", lambda film: film.entries()),
        ("leaving", "say bye when someone leaves", lambda film: film.exits()),
        ("warn", "warn me when i slouch", lambda film: [start for start, _ in film.breaks]),
        (
            "changes",
            "tell me which colour the gauge moves to",
            lambda film: [change.time_s for change in film.changes],
        ),
        ("start_stop", "start and stop", lambda film: [film.start_s, film.end_s]),
    ],
)
def test_what_happens_is_said_when_it_is_first_seen(
    films, tokenizer, monkeypatch, seed, name, text, moments
):
    monkeypatch.setattr(eyes, "STUMBLING", 0.0)
    text = next(t for t, ask in ASKS.items() if ask.tag == "action") if " and " in text else text
    talk = talk_about(text, tokenizer, seed)
    assert getattr(eyes, name)(talk)
    see_on = talk.timeline.streams.see_on
    assert see_on is not None
    first, film = int(see_on.argmax()), films[-1]
    assert see_on.sum() == round(5 * film.length_s)
    expected = [first + int(np.ceil(5 * time_s - 1e-6)) for time_s in moments(film)]
    words = said(talk)
    starts = [turn for k, (turn, _) in enumerate(words) if k == 0 or turn - words[k - 1][0] > 3]
    if name == "count_reps":
        starts = [turn for turn, _ in words]
        assert [word for _, word in words] == NUMBERS[1 : len(film.cycles) + 1]
    assert len(starts) == len(expected)
    assert all(0 <= turn - due <= 2 for turn, due in zip(starts, expected, strict=True))
    notes = [name for _, name in emitted(talk.timeline, "act")]
    assert notes[:2] == ["<note>", "<text>"] and "".join(notes[2:-1]).split() == text.split()


def test_sights_lie_where_the_camera_is_on(films, tokenizer):
    talk = talk_about(training_asks("enter")[0], tokenizer, 4)
    assert eyes.entering(talk)
    sights, see_on = talk.timeline.sights, talk.timeline.streams.see_on
    assert sights is not None and see_on is not None
    assert np.array_equal(sights[:, HAPPENS] != UNKNOWN, see_on)
    entered = (sights[:, HAPPENS] == QUESTIONS["happens"].index("enters")).nonzero()[0]
    word = ASKS[training_asks("enter")[0]].word
    assert set(entered) <= {turn for turn, text in said(talk) if text == word}
    assert len(entered) == len(films[-1].entries()) > 0


def test_other_movements_than_those_asked_for_are_not_counted(films, tokenizer, monkeypatch):
    monkeypatch.setattr(eyes, "OTHER", 1.0)
    talk = talk_about("count my push ups", tokenizer, 1)
    assert eyes.count_reps(talk) and films[-1].kind != "push_up" and not said(talk)


@pytest.mark.parametrize("seed", range(2))
def test_things_are_counted_and_unasked_films_pass_in_silence(tokenizer, seed):
    talk = talk_about("how many cups do you see", tokenizer, seed)
    assert eyes.count_objects(talk) and len(said(talk)) == 1
    talk = talk_about("", tokenizer, seed)
    assert eyes.looking_on(talk) and talk.timeline.streams.see_on is not None
    facts = {word for _, word in said(talk)} if emitted(talk.timeline, "say") else set()
    assert facts <= {"twelve"}  # the answer to what the user asked meanwhile


def test_what_to_look_for_is_noted_again_every_ten_seconds(tokenizer):
    talk = talk_about("count every rep aloud", tokenizer, 5)
    talk.timeline.running.clear()
    assert eyes.count_reps(talk)
    talk.timeline.write_notes()
    notes = [slot // NUM_SLOTS for slot, name in emitted(talk.timeline, "act") if name == "<note>"]
    running = talk.timeline.running[0]
    assert notes[1:] == [t for t in range(0, 220, 50) if running.start < t < running.stop]
    assert len(notes) > 1


def test_a_family_that_does_not_fit_writes_nothing(tokenizer):
    for name in FAMILIES:
        text = (
            next(t for t, ask in ASKS.items() if ask.tag == FAMILIES[name])
            if name != "looking_on"
            else ""
        )
        talk = talk_about(text, tokenizer, 0, num_turns=12)
        assert not getattr(eyes, name)(talk), name
        assert talk.timeline.streams.see is None and not emitted(talk.timeline, "say")


def test_real_clips_are_shown_by_the_same_door(tmp_path, tokenizer):
    timeline = Timeline(9, tokenizer)
    file = VideoFile(write_video(tmp_path / "v.mp4", [50, 100, 150, 200], rate=5))
    assert timeline.show(file(), 3) == 7
    streams = timeline.streams
    assert streams.see is not None and streams.see_on is not None
    assert streams.see_on.tolist() == [False] * 3 + [True] * 4 + [False] * 2
    levels = streams.see.mean((1, 3, 4, 5))
    assert levels[4] == pytest.approx([50, 100], abs=6) and not levels[8].any()


# Training


def example(seed: int, camera: Sequence[bool] | None, num_turns: int = 6) -> Example:
    """Random sound, words and pictures; the camera is on where it says."""
    rng = np.random.default_rng(seed)
    streams = Streams.empty(num_turns, subframes=4, first_turn=seed)
    streams.hear[:] = rng.integers(0, 16, streams.hear.shape)
    for name in ("heard", "say", "act"):
        words = rng.integers(80, 96, (num_turns, 4))
        getattr(streams, name)[:] = np.where(rng.random((num_turns, 4)) < 0.4, words, 0)
    streams.voice_on[1:3] = True
    streams.voice[1:3] = rng.normal(-3, 1, streams.voice[1:3].shape)
    if camera is not None:
        streams.see = rng.integers(0, 256, (num_turns, 12, 2, 40, 40, 3), np.uint8)
        streams.see_on = np.array(camera)
    phones = np.full((num_turns, 4), -1, np.int8)
    known = np.ones(num_turns, bool)
    return Example(streams=streams, phones_user=phones, phones_own=phones, heard_known=known)


LATE = (False, False, True, True, True, True)
QUIET = HistoryNoise(sigma=0.0, jitter=0.0, drop=0.0, smear=0.0)


MEAN, STD = np.full(80, -3.0, np.float32), np.ones(80, np.float32)


def inputs_of(examples: Sequence[Example]) -> Inputs:
    return assemble(examples, mel_mean=MEAN, mel_std=STD, noise=QUIET, seed=(0,)).inputs


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return untrained("tiny", seed=1, camera=True)


@torch.inference_mode()
def appended(loaded: Loaded, streams: Streams) -> torch.Tensor:
    """Hidden states of one session as the engine makes them, [N, 4, d]."""
    model, slots, hidden, carry = loaded.model, torch.tensor([0]), [], None
    cache = model.backbone.new_cache(1)
    for turn in range(len(streams)):
        part = streams.cut(turn, turn + 1)
        if not part.camera[0]:
            part.see = None
        laid, carry = lay_out(part, carry)
        inputs = Inputs(
            hear=torch.from_numpy(laid.hear)[None],
            read=torch.from_numpy(laid.read)[None],
            turn=torch.from_numpy(laid.turn)[None],
            tokens=torch.from_numpy(laid.previous.as_read())[None],
            voice=torch.from_numpy(laid.previous.voice)[None],
            voice_on=torch.from_numpy(laid.previous.voice_on)[None],
            see=None if laid.see is None else torch.from_numpy(laid.see)[None],
        )
        model.read_input(inputs, cache, slots, torch.float32)
        reads = inputs.tokens[:, 0], inputs.voice[:, 0], inputs.voice_on[:, 0]
        hidden.append(model.read_slot(*reads, None, cache, slots, torch.float32)[0])
    return torch.stack(hidden)


def test_a_batch_mixes_sessions_whose_cameras_are_never_partly_or_always_on(loaded):
    examples = [example(1, None), example(2, LATE), example(3, [True] * 6)]
    inputs = inputs_of(examples)
    assert inputs.camera.tolist() == [[False] * 6, list(LATE), [True] * 6]
    with torch.inference_mode():
        hidden, _ = loaded.model(inputs, torch.float32)
    for row, one in zip(hidden, examples, strict=True):
        torch.testing.assert_close(row, appended(loaded, one.streams), rtol=1e-4, atol=1e-4)


def test_what_lies_in_pictures_while_the_camera_is_off_changes_nothing(loaded):
    dark, changed = example(2, LATE), example(2, LATE)
    assert changed.streams.see is not None
    changed.streams.see[:2] += 77
    with torch.inference_mode():
        one, other = (loaded.model(inputs_of([e]), torch.float32)[0] for e in (dark, changed))
        assert torch.equal(one, other)
        changed.streams.see[3] += 77
        other = loaded.model(inputs_of([changed]), torch.float32)[0]
    assert torch.equal(one[:, :3], other[:, :3]) and not torch.equal(one[:, 3], other[:, 3])


def a_model() -> InteractionModel:
    model = untrained("tiny", seed=2, camera=True).model
    return model.train()


def test_eyes_learn_in_batches_with_and_without_a_camera(tmp_path, monkeypatch, capsys):
    """Which of two pictures is on decides the word: what is seen is what is said."""
    monkeypatch.setattr("interplay.train.loop.draw_curves", lambda log, picture: None)  # slow

    def seeing(step: int, progress: float) -> list[Example]:
        made = [example(2 * step + k, LATE if step % 3 else None, num_turns=6) for k in range(2)]
        for k, one in enumerate(made):
            for name in ("heard", "say", "act"):
                getattr(one.streams, name)[:] = 0
            if one.streams.see is not None:
                one.streams.see[:] = (40, 215)[k]
                one.streams.say[2:, 1] = (90, 91)[k]
        return made

    config = TrainConfig(
        num_steps=30,
        dtype=torch.float32,
        num_threads=1,
        num_workers=0,
        optim=OptimConfig(warmup_steps=2),
    )
    before = {name: value.clone() for name, value in a_model().named_parameters()}
    model = train(config, seeing, a_model(), tmp_path / "run")
    moved = [n for n, value in model.named_parameters() if not torch.equal(value, before[n])]
    assert {n for n in before if n.startswith(("embed.see", "embed.tile"))} <= set(moved)
    with torch.inference_mode():
        hidden, _ = model(inputs_of(seeing(1, 0.0)), torch.float32)
        logits = model.text_logits(hidden)[:, 2:, 1, 1]
    assert (logits[0, :, 90] > logits[0, :, 91]).all()
    assert (logits[1, :, 91] > logits[1, :, 90]).all()
    capsys.readouterr()


def test_what_a_camera_sees_is_asked_where_it_is_known():
    def losses(example: Example, share: float) -> Losses:
        return compute_losses(
            a_model(),
            Probes(64, eyes=True),
            assemble([example], mel_mean=MEAN, mel_std=STD, noise=QUIET, seed=(0,)),
            LossConfig(sights=share),
            dtype=torch.float32,
            generator=torch.Generator().manual_seed(1),
        )

    unknown = example(2, LATE)
    assert "sights" not in losses(unknown, 1.0).parts
    sights = np.full((6, len(QUESTIONS)), UNKNOWN, np.int8)
    sights[3, HAPPENS] = 2
    whole, none = (losses(replace(unknown, sights=sights), share) for share in (1.0, 0.0))
    assert whole.parts["sights"] == pytest.approx(math.log(len(QUESTIONS["happens"])))
    torch.testing.assert_close(whole.total - none.total, whole.parts["sights"])


def test_a_session_with_a_camera_is_not_held_to_what_the_model_was():
    """The eyes of the model that a run begins with may have learnt nothing."""
    before, model = a_model(), a_model()
    with torch.no_grad():
        model.get_parameter("backbone.layers.0.ff.down").add_(0.01 * torch.randn(64, 128))

    def kept(*examples: Example) -> torch.Tensor | None:
        return compute_losses(
            model,
            Probes(64),
            assemble(examples, mel_mean=MEAN, mel_std=STD, noise=QUIET, seed=(0,)),
            LossConfig(kept=4.0),
            dtype=torch.float32,
            generator=torch.Generator().manual_seed(1),
            held_to=before,
        ).parts.get("kept")

    blind, seeing = example(1, None), example(2, LATE)
    alone, both = kept(blind), kept(blind, seeing)
    assert alone is not None and alone > 0
    torch.testing.assert_close(both, alone, rtol=1e-3, atol=1e-6)
    assert kept(seeing) is None
    assert kept(replace(blind, known=False)) is None, "what is new to it has to change"


def test_a_model_with_eyes_is_saved_and_runs_with_and_without_a_camera(tmp_path, loaded):
    path = tmp_path / "eyes.interplay"
    save_checkpoint(path, loaded.model, loaded.vocoder, loaded.tokenizer, {}, torch.float32)
    again = load_checkpoint(path)
    assert again.config.see == loaded.config.see is not None
    engine = Engine(again, num_slots=2, dtype=torch.float32)
    seeing, blind = engine.open(seed=1), engine.open(seed=1)
    tiles = np.random.default_rng(0).integers(0, 256, (12, 2, 40, 40, 3), np.uint8)
    hear = np.zeros(SAMPLES_PER_TURN, np.float32)
    for turn in range(3):
        see = tiles if turn else None
        engine.tick({seeing: InputHalf(hear=hear, see=see), blind: InputHalf(hear=hear)})
    lengths = engine.cache.length.tolist()
    assert lengths == [3 * 8 + 2 * 12, 3 * 8]
