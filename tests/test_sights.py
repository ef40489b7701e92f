"""What films are known to show, and what probes make of it."""

import math

import numpy as np
import pytest
import torch

from interplay.data.scenes import action, conduct, events, objects, reps, visit
from interplay.data.scenes.sights import QUESTIONS, UNKNOWN, sights
from interplay.train.probes import Probes, answer_loss, sight_loss


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def answers(film, question: str) -> list[str]:
    """With every frame; "?" where there is none."""
    column = sights(film)[:, list(QUESTIONS).index(question)]
    return [QUESTIONS[question][k] if k != UNKNOWN else "?" for k in column]


@pytest.mark.parametrize(
    "film",
    [
        *(reps.draw_reps(rng(), 1, kind=kind) for kind in reps.KINDS),
        *(action.draw_action(rng(), 1, kind=kind) for kind in action.KINDS),
        *(conduct.draw_conduct(rng(), 1, kind, 2) for kind in conduct.KINDS),
        *(events.draw_events(kind, rng(), 1, 3) for kind in events.KINDS),
        objects.draw_objects(rng(), 1, "cup", 3.0),
        visit.draw_visit(rng(), 1, kinds=("person", "cat", "person"), staying=1),
    ],
    ids=lambda film: f"{type(film).__name__} {getattr(film, 'kind', '')}",
)
def test_a_film_knows_what_it_shows_in_every_frame(film):
    seen = sights(film)
    assert len(seen) == len(list(film()))
    told = [what for what in answers(film, "happens") if what]
    assert len(told) == len([t for t, _ in film.happenings() if t < film.length_s - 0.2])
    assert set(told) == {what for _, what in film.happenings()}
    assert "?" not in answers(film, "people")


def test_a_repetition_goes_through_all_its_phases_and_then_counts():
    film = reps.draw_reps(np.random.default_rng(2), 1, kind="squat")
    start, end = film.cycles[1]
    first, last = math.ceil(5 * start), math.ceil(5 * end)
    phases = [int(p) for p in answers(film, "phase")[first:last]]
    assert phases == sorted(phases) and phases[0] <= 1 and phases[-1] >= 4
    assert answers(film, "happens")[last] == "repeats" and answers(film, "doing")[first] == "squat"


def test_people_are_counted_from_the_frame_in_which_they_are_half_in():
    film = visit.draw_visit(rng(), 1, kinds=("person", "ball"), staying=1)
    people, enters = answers(film, "people"), math.ceil(5 * film.entries()[0])
    assert people[enters - 1 : enters + 1] == ["1", "2"]
    assert answers(film, "happens")[enters] == "enters" and set(people) == {"1", "2"}


def test_things_on_a_table_and_states_have_their_answers():
    table = objects.draw_objects(rng(), 1, "cup", 2.0)
    assert answers(table, "cup") == [str(table.count("cup"))] * 10
    door = events.draw_events("door", rng(), 1, 1)
    before, after = f"door {door.first}", f"door {door.changes[0].what}"
    at = math.ceil(5 * door.changes[0].time_s)
    assert answers(door, "state")[at - 1 : at + 1] == [before, after]


def test_a_probe_learns_only_what_is_known():
    probes = Probes(8, eyes=True)
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(2, 5, 4, 8, generator=generator)
    unknown = torch.full((2, 5, len(QUESTIONS)), UNKNOWN)
    loss, metrics = sight_loss(hidden, hidden, probes, unknown)
    assert loss == 0 and not metrics
    known = unknown.clone()
    known[0, 1, 0] = 2
    loss, metrics = sight_loss(hidden, hidden, probes, known)
    assert float(loss.detach()) == pytest.approx(math.log(4)), "it knows nothing yet"
    assert set(metrics) == {"seen_people"} and metrics["seen_people"][1] == 1
    loss.backward()
    assert probes.seen_hear is not None and probes.seen_hear.grad is not None
    rows = probes.seen_hear.grad.abs().sum(1)
    assert rows[:4].all() and not rows[4:].any()


def test_a_question_counts_as_often_as_it_is_answered():
    logits = torch.zeros(4, sum(map(len, QUESTIONS.values())))
    often = torch.full((4, len(QUESTIONS)), UNKNOWN)
    often[:, 0] = 1
    seldom = often.clone()
    seldom[0, 1] = 3
    people, both = (float(answer_loss(logits, sights)[0]) for sights in (often, seldom))
    one_of_four = math.log(len(QUESTIONS["doing"])) / 4
    assert people == pytest.approx(math.log(4)) and both == pytest.approx(people + one_of_four)
