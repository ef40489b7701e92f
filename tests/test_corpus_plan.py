"""Which utterances a corpus is made of, before any is spoken."""

from collections import Counter
from dataclasses import replace

from interplay.data.corpus import CorpusPlan, plan_requests
from interplay.data.texts import kinds
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.speakers import TRAIT

PLAN = CorpusPlan(scale=0.01)


def test_how_many_there_are_of_one_kind_changes_nothing_about_the_others(monkeypatch):
    whole = plan_requests(PLAN)
    fewer = {tag: kind for tag, kind in kinds.KINDS.items() if tag not in (*LANGUAGES, "reminder")}
    fewer["tell"] = replace(fewer["tell"], count=3 * fewer["tell"].count)
    monkeypatch.setattr(kinds, "KINDS", fewer)
    others = plan_requests(PLAN)
    found = [Counter(r for r in requests if r.role == "user") for requests in (whole, others)]
    more, less = found[1] - found[0], found[0] - found[1]
    assert {r.tag for r in more} == {"tell"} and {r.tag for r in less} == {*LANGUAGES, "reminder"}


def test_what_is_asked_to_be_said_can_be_said():
    requests = plan_requests(PLAN)
    spoken = {r.text: r.tag for r in requests if r.role == "own"}
    asked = [r for r in requests if r.tag in LANGUAGES]
    assert set(kinds.english_of([r.text for r in asked])) <= spoken.keys()
    assert all(r.voice.startswith(("espeak:de+", "espeak:es")) for r in asked)
    later = [said for r in requests for said in kinds.asked_for(r.tag, r.text)]
    assert later and {spoken[text] for text in later} <= {"", TRAIT}
    assert {tag for tag in spoken.values()} == {"", TRAIT, kinds.ENGLISH}
