"""What a run's batches are composed of: its corpus, and the user's own data if there is some; and
the sessions that it is checked on.

Knows nothing of models or of the stages of a run.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from interplay.data.compose import ComposeConfig, Composer
from interplay.data.corpus import Corpus
from interplay.data.example import Example
from interplay.data.families import GROUPS
from interplay.data.own.mixture import OwnComposer
from interplay.data.own.store import INDEX, OwnData
from interplay.errors import ConfigError
from interplay.recipes.recipe import Recipe
from interplay.train.snapshots import snapshots
from interplay.turns.tokens import Tokenizer

OWN_DATA = "own-data.json"
CHECKED_SEED = 5_000_000  # added to a run's own: of sessions that it is checked on


@dataclass(frozen=True, kw_only=True)
class Own:
    """A folder of imported data (`interplay data import`), and its share of all sessions."""

    folder: Path
    share: float

    def facts(self) -> dict:
        """What a resumed run has to share."""
        digest = hashlib.sha256((self.folder / INDEX).read_bytes()).hexdigest()
        return {"folder": str(self.folder), "share": self.share, "sha256": digest}


@dataclass(frozen=True)
class CorpusBatches:
    """Batches composed from a corpus folder; pickles as a path, opens the corpus where it is.

    own: the user's own data among them, if any. dry: see Composer.
    """

    folder: Path
    config: ComposeConfig
    own: Own | None = None
    dry: bool = False

    @cached_property
    def _composer(self) -> Composer:
        corpus = Corpus(self.folder, without_voices=self.config.without_voices)
        if self.own is None:
            return Composer(corpus, self.config, dry=self.dry)
        data = OwnData(self.own.folder)
        return OwnComposer(corpus, self.config, data, self.own.share, dry=self.dry)

    def __call__(self, step: int, progress: float) -> Sequence[Example]:
        return self._composer.batch(step, progress)

    def __reduce__(self) -> tuple:
        return CorpusBatches, (self.folder, self.config, self.own, self.dry)


def check_own(own: Own, recipe: Recipe, tokenizer: Tokenizer) -> None:
    """Raises ConfigError or RecordError where the data cannot be learnt from: films without eyes,
    words that the tokenizer cannot spell."""
    data = OwnData(own.folder)
    films = [session for session in data.sessions if session.facts.has_camera]
    if films and not recipe.eyes:
        raise ConfigError(
            f"{own.folder} has {len(films)} films such as {films[0].facts.source}, and the "
            f"recipe {recipe.name} has no eyes; import without films, or train one with eyes"
            + (" (`interplay init --eyes`)" if recipe.size is None else "")
        )
    data.check_spelling(tokenizer)


def note_own(own: Own | None, out: Path) -> None:
    """Write into the run's folder which data it is trained on.

    Raises ConfigError where the run has begun with other data.
    """
    wanted, note = own.facts() if own else None, out / OWN_DATA
    begun = json.loads(note.read_text()) if note.exists() else None
    if snapshots(out / "model") and begun != wanted:
        before = f"--data {begun['folder']} --share {begun['share']:g}" if begun else "no --data"
        raise ConfigError(
            f"{out} was begun with {before}, and goes on with the same data only; give the same "
            "options, or choose another --out"
        )
    draft = note.with_name(f".{note.name}.part")
    draft.write_text(json.dumps(wanted))
    draft.replace(note)


def checked_sessions(
    folder: Path, config: ComposeConfig, num_sessions: int
) -> dict[str, list[Example]]:
    """By group of the families that a run is trained on, `num_sessions` of nothing else; and of
    drills and films, where it has some. The texts and voices are those of the training, the
    sessions are not."""
    composer = Composer(
        Corpus(folder, without_voices=config.without_voices),
        replace(config, seed=config.seed + CHECKED_SEED),
    )
    _, num_turns = composer.shape(1.0)
    shares = dict(config.mix)
    draws: dict[str, Callable[[np.random.Generator], Example]] = {}
    for group, families in GROUPS.items():
        if mix := {name: shares[name] for name in families if shares.get(name)}:
            draws[group] = partial(composer.session, num_turns=num_turns, mix=mix, late=False)
    if config.drilled:
        draws["drills"] = partial(composer.drilling, num_turns=num_turns)
    if config.seen:
        films = dict(config.eyes)
        draws["eyes"] = partial(
            composer.session, num_turns=config.seen_turns, mix=films, late=False
        )
    return {
        group: [draw(composer.random(step, row)) for row in range(num_sessions)]
        for step, (group, draw) in enumerate(draws.items())
    }
