"""Own data in training: times as the timeline has them, and batches that repeat."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from own_helpers import LENGTH_S, WORDS, noise

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.compose import ComposeConfig, Composer
from interplay.data.corpus import Corpus
from interplay.data.example import Example
from interplay.data.own import mixture
from interplay.data.own.mixture import OwnComposer
from interplay.data.own.store import OwnData, Recording, write_index, write_session
from interplay.data.own.words import Word
from interplay.data.timeline import HEARD_DELAY, PLAYBACK_SLOTS, Timeline, turn_with
from interplay.errors import ConfigError, RecordError
from interplay.media.video import cut_tiles
from interplay.recipes import command
from interplay.recipes.batches import CorpusBatches, Own, check_own, note_own
from interplay.recipes.named import find_recipe
from interplay.train import ears
from interplay.train.snapshots import snapshots
from interplay.turns import tokens
from interplay.turns.tokens import Tokenizer
from interplay.turns.types import PAD

TOKENIZER = Tokenizer.train(["hello there good day"] * 9, 400)
CONFIG = ComposeConfig(seed=3, batch_size=10, num_turns=20)
SMALL = replace(CONFIG, batch_size=5)
SAID = [
    Word(channel=channel, word=word, start_s=start_s, end_s=end_s, begins=word in ("hello", "good"))
    for channel, word, start_s, end_s in WORDS
]


def a_corpus() -> Corpus:
    """Nothing but a tokenizer: made-up sessions are replaced in these tests."""
    corpus = Corpus.__new__(Corpus)
    corpus.tokenizer = TOKENIZER
    return corpus


def a_recording(length_s: float = LENGTH_S, *, film: bool = False, channels: int = 2) -> Recording:
    frames = None
    if film:
        levels = np.arange(round(5 * length_s), dtype=np.uint8)
        frames = np.broadcast_to(levels[:, None, None, None], (len(levels), 120, 160, 3)).copy()
    words = SAID if channels == 2 else SAID[:2]
    sound = noise(length_s, channels)
    return Recording(sound=sound, words=words, frames=frames, voice_known=film)


def stored(folder: Path, *recordings: Recording) -> OwnData:
    names = [f"s{number}" for number in range(len(recordings))]
    for name, recording in zip(names, recordings, strict=True):
        write_session(folder / name, recording, source=f"{name}.json", stamp="")
    write_index(folder, names)
    return OwnData(folder)


def composer_of(data: OwnData, share: float = 1.0, config: ComposeConfig = CONFIG) -> OwnComposer:
    return OwnComposer(a_corpus(), config, data, share)


def slots_of(timeline: Timeline, stream: str) -> dict[int, str]:
    row = getattr(timeline.streams, stream).reshape(-1)
    return {int(slot): TOKENIZER.name(int(row[slot])).strip() for slot in np.flatnonzero(row)}


@pytest.mark.parametrize("at", [8000, 8192, 12345])
@pytest.mark.parametrize("start", [0, 4321, 13000])
def test_words_and_sound_lie_where_they_were_recorded(tmp_path, at, start):
    (session,) = stored(tmp_path, a_recording()).sessions
    timeline = Timeline(20, TOKENIZER)
    mixture._place(timeline, session, np.random.default_rng(0), start=start, at=at)
    user, model = session.sound(start, session.facts.num_samples - start)
    placed = slice(at, at + len(user))
    heard = timeline.user[placed]
    np.testing.assert_allclose(heard / heard.std(), user / user.std(), rtol=1e-4)
    on = timeline.own[placed] != 0
    np.testing.assert_allclose(timeline.own[placed][on], model[on], atol=2**-14)
    sounding = np.flatnonzero(on)
    begins = max((1.2 - 0.05) * SAMPLE_RATE_HZ - start, (1 + PLAYBACK_SLOTS) * 800 + 400 - at)
    assert 0 <= begins - sounding[0] < 801
    assert abs(sounding[-1] - (1.95 * SAMPLE_RATE_HZ - start)) < 3
    heard_slots = slots_of(timeline, "heard")
    for word, end_s in (("hello", 0.8), ("there", 1.1)):
        end = at + int(end_s * SAMPLE_RATE_HZ) - start
        if end_s * SAMPLE_RATE_HZ > start:
            slot = next(slot for slot, name in heard_slots.items() if name == word)
            assert slot // 4 == turn_with(end + HEARD_DELAY)
        else:
            assert word not in heard_slots.values()
    assert list(heard_slots.values()).count("<text>") == (start < 0.8 * SAMPLE_RATE_HZ)
    say = slots_of(timeline, "say")
    assert list(say.values()) == ["good", "day", "<end>"]
    first_voice = int(np.flatnonzero(timeline.streams.voice_on.reshape(-1))[0])
    assert min(say) == first_voice - 1


def test_a_word_cut_by_the_model_s_first_slot_is_left_out(tmp_path):
    (session,) = stored(tmp_path, a_recording()).sessions
    timeline = Timeline(20, TOKENIZER)
    start = int(1.15 * SAMPLE_RATE_HZ)  # "good" begins 0.05 s later: too early to have said it
    mixture._place(timeline, session, np.random.default_rng(0), start=start, at=0)
    assert list(slots_of(timeline, "say").values()) == ["day", "<end>"]


def test_batches_repeat_and_differ_by_step_and_seed(tmp_path):
    data = stored(tmp_path, a_recording(), a_recording(9.0))
    batches = [composer_of(data, 1.0, SMALL).batch(step, 0.0) for step in (4, 4, 5)]
    for one, same, other in zip(*batches, strict=True):
        assert np.array_equal(one.streams.hear, same.streams.hear)
        assert np.array_equal(one.streams.heard, same.streams.heard)
        assert not np.array_equal(one.streams.hear, other.streams.hear)
    cut = [example for example in batches[0] if example.scored_from]
    assert 0 < len(cut) < len(batches[0]) and {e.scored_from for e in cut} == {3}
    assert not any(example.voice_known for example in batches[0])
    assert all((example.phones_user <= 0).all() for example in batches[0])


def test_dry_sessions_are_heard_later_and_hear_about_the_same(tmp_path):
    data = stored(tmp_path, a_recording(), a_recording(9.0))
    config = replace(CONFIG, drilled=0.3)
    wet = composer_of(data, 1.0, config).batch(4, 0.0)
    composer = OwnComposer(a_corpus(), config, data, 1.0, dry=True)
    dry, again = (
        ears.hear(ears.stack([e.dry for e in composer.batch(4, 0.0) if e.dry])).numpy()
        for _ in range(2)
    )
    np.testing.assert_array_equal(dry, again)
    bins = np.stack([example.streams.hear for example in wet])
    assert dry.shape == bins.shape and any(example.muted for example in wet)
    assert abs(dry.mean() - bins.mean()) < 1.5, "other dice, and bins of 12 dB"
    assert 0.5 < dry.std() / bins.std() < 2


def test_short_recordings_follow_each_other(tmp_path):
    data = stored(tmp_path, a_recording(1.4, channels=1))
    num_said = []
    config = replace(SMALL, num_turns=30)
    for example in composer_of(data, 1.0, config).batch(0, 0.0)[:4]:
        written = [int(token) for token in example.streams.heard.reshape(-1) if token != PAD]
        num_said.append(written.count(tokens.TEXT))
        assert TOKENIZER.decode(written) == " ".join(["hello there"] * num_said[-1])
        assert not example.streams.voice_on.any() and example.voice_known
    assert 4 < sum(num_said) <= 12


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_share_of_the_sessions_is_own_and_the_others_are_as_without(tmp_path, monkeypatch, share):
    data = stored(tmp_path, a_recording(), a_recording(6.0, film=True))
    made, talk, film = (Example.__new__(Example) for _ in range(3))
    drawn: list[float] = []

    def session(self, rng, num_turns, mix, *, late):
        drawn.append(rng.random())
        return made

    def num(batch: list[Example], kind: Example) -> int:
        return sum(example is kind for example in batch)

    monkeypatch.setattr(Composer, "session", session)
    plain = Composer(a_corpus(), CONFIG)
    for step in range(150):
        assert num(plain.batch(step, 0.0), made) == 10
    without = set(drawn)
    drawn.clear()
    monkeypatch.setattr(OwnComposer, "_talk", lambda self, rng, num_turns: talk)
    monkeypatch.setattr(OwnComposer, "_film", lambda self, rng, num_turns: film)
    composer = composer_of(data, share)
    mixed = [composer.batch(step, 0.0) for step in range(150)]
    assert drawn and set(drawn) < without
    films = [batch for batch in mixed if num(batch, film)]
    assert all(len(batch) == num(batch, film) == 4 for batch in films)
    talks = sum(num(batch, talk) for batch in mixed) / 10
    assert abs((len(films) + talks) / len(mixed) - share) < 0.08
    assert abs(len(films) / len(mixed) - 0.75 * share) < 0.1


def test_made_up_sessions_and_drills_are_drawn_beside_own_data(tmp_path):
    config = replace(SMALL, listening_until=0.0, mix=(("noise_only", 1.0),), drilled=0.4)
    composer = composer_of(stored(tmp_path, a_recording()), 0.3, config)
    plain = Composer(a_corpus(), config)
    made = [example for step in range(4) for example in composer.batch(step, 0.1)]
    without = [example for step in range(4) for example in plain.batch(step, 0.1)]
    assert len(made) == len(without) == 20
    same = [
        (np.array_equal(one.streams.hear, other.streams.hear), other.muted)
        for one, other in zip(made, without, strict=True)
    ]
    assert 8 < sum(kept for kept, _ in same) < 20, "own data in the place of some"
    assert all(kept for kept, is_drill in same if is_drill)


def test_a_film_is_seen_beside_its_sound_and_the_last_picture_stays(tmp_path):
    data = stored(tmp_path, a_recording(2.4, film=True))
    (example, *_) = composer_of(data).batch(0, 0.0)
    see = example.streams.see
    assert see is not None and see.shape == (20, 12, 2, 40, 40, 3)
    shown = see[:, 0, 1, 0, 0, 0].tolist()
    assert shown == [0, 0, *range(12), *[11] * 6]  # the film begins after two micro-turns
    assert see[:, 0, 0, 0, 0, 0].tolist() == [0, *shown[:-1]]
    assert np.array_equal(see[5, :, 1], cut_tiles(data.sessions[0].frames[3]))
    assert example.voice_known
    long = stored(tmp_path / "long", a_recording(9.0, film=True))
    seen = [example.streams.see for example in composer_of(long).batch(0, 0.0)]
    assert len({int(tiles[0, 0, 1, 0, 0, 0]) for tiles in seen if tiles is not None}) > 1


def test_batches_pickle_small_with_the_own_data():
    own = Own(folder=Path("mine"), share=0.3)
    batches = CorpusBatches(Path("somewhere"), ComposeConfig(), own)
    pickled = pickle.dumps(batches)
    assert pickle.loads(pickled) == batches and len(pickled) < 2000


def test_a_run_goes_on_with_the_data_it_began_with(tmp_path):
    data = stored(tmp_path / "mine", a_recording())
    out = tmp_path / "run"
    (out / "model").mkdir(parents=True)
    own = Own(folder=data.folder, share=0.3)
    note_own(own, out)
    (out / "model" / "step_00000001.pt").write_bytes(b"")
    assert snapshots(out / "model")
    note_own(own, out)
    for other in (None, replace(own, share=0.2)):
        with pytest.raises(ConfigError, match=r"was begun with --data .* --share 0.3, and goes on"):
            note_own(other, out)


def test_films_need_eyes_and_words_a_tokenizer(tmp_path):
    films = stored(tmp_path / "films", a_recording(film=True))
    own = Own(folder=films.folder, share=0.3)
    with pytest.raises(
        ConfigError, match=r"1 films such as s0.json, and the recipe xs has no eyes"
    ):
        check_own(own, find_recipe("xs"), TOKENIZER)
    foreign = replace(a_recording(), words=[replace(SAID[0], word="hello<end>x ")])
    with pytest.raises(RecordError, match=r"s0.json, 0.50 s: the tokenizer cannot spell 'hello"):
        stored(tmp_path / "foreign", foreign).check_spelling(TOKENIZER)


@pytest.mark.parametrize(
    ("folder", "share", "line"),
    [
        (None, 0.2, "--share is 0.2 and there is no --data"),
        (Path("mine"), 1.5, "--share is 1.5; give more than 0"),
        (Path("mine"), float("nan"), "--share is nan; give more than 0"),
        (Path("mine"), 0.2, "no imported data in mine; `interplay data import"),
    ],
)
def test_options_of_train_are_checked_before_anything_is_made(folder, share, line):
    with pytest.raises((ConfigError, RecordError)) as caught:
        command._own(folder, share)
    assert line in str(caught.value)


def test_the_voice_of_others_is_no_target():
    from test_train import a_batch, a_model, losses_of
    from train_helpers import an_example

    from interplay.train.losses import LossConfig

    own, others = an_example(1), replace(an_example(1), voice_known=False)
    parts = [losses_of(a_model(), a_batch([e]), LossConfig()).parts for e in (own, others)]
    assert "l1" in parts[0] and "l1" not in parts[1] and "gate" in parts[1]
