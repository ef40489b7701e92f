"""A person somewhere, filmed somehow: what scenes with one person in the middle share.

Knows nothing of what the person does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from interplay.data.scenes.canvas import Canvas
from interplay.data.scenes.film import WHOLE, Camera, Draw, DrawAt, Take, film
from interplay.data.scenes.person import SIZE_PX, Looks, Person
from interplay.data.scenes.room import GROUND, Room
from interplay.data.scenes.visit import KINDS, Visitor, draw_visitor

PLACE_PX = (58.0, 102.0)  # where they stand
PASSING = 0.15  # of the films: somebody passes


@dataclass(frozen=True, kw_only=True)
class Setting:
    """passer: somebody who goes through the picture in front of the person, and does not matter.
    seed: of noise and shaking."""

    room: Room
    camera: Camera
    person: Person
    passer: Visitor | None
    seed: int

    @staticmethod
    def draw(rng: np.random.Generator, seed: int) -> "Setting":
        person = Person(
            looks=Looks.draw(rng),
            foot=(float(rng.uniform(*PLACE_PX)), GROUND + float(rng.uniform(-4, 2))),
            height=float(rng.uniform(*SIZE_PX)),
        )
        camera, passer = Camera.draw(rng), None
        if rng.random() < PASSING:
            enters_s = float(rng.uniform(0, 10))
            passer = draw_visitor(rng, str(rng.choice(KINDS)), camera, enters_s, enters_s + 3)
        return Setting(room=Room.draw(rng), camera=camera, person=person, passer=passer, seed=seed)

    def num_passing(self, time_s: float) -> int:
        """Of other people in the picture."""
        passer = self.passer
        return int(passer is not None and passer.kind == "person" and passer.is_in(time_s))

    def film(
        self,
        length_s: float,
        draw: DrawAt,
        *,
        furniture: Draw | None = None,
        light: Callable[[float], float] | None = None,
        take: Take = WHOLE,
    ) -> Iterator[np.ndarray]:
        """draw: what moves. furniture: what stands still in front of the room."""

        def backdrop(canvas: Canvas) -> None:
            self.room(canvas)
            if furniture:
                furniture(canvas)

        def front(canvas: Canvas, time_s: float) -> None:
            draw(canvas, time_s)
            if self.passer:
                self.passer.draw(canvas, time_s)

        return film(
            length_s,
            self.room.wall,
            self.seed,
            front,
            backdrop=backdrop,
            camera=self.camera,
            light=light,
            take=take,
        )
