"""The check of signatures that all tests run under sees what jaxtyping's own check sees."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import beartype
import numpy as np
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int, TypeCheckError
from signatures import jaxtyped, original
from torch import Tensor

from interplay.clock import Pacer
from interplay.ops.norm import add_and_norm, rms_norm

CHECK = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
REFUSED = (BeartypeCallHintViolation, TypeCheckError)


def same(x: Float[Tensor, "rows dim"], y: Float[Tensor, " dim"]) -> Float[Tensor, "rows dim"]:
    return x[:, :-1] if y[0] > 0 else x


def scaled(x: Float[Tensor, "rows dim"], by: int) -> Float[Tensor, "rows dim"]:
    return x * by


def inside(x: list[Float[Tensor, "rows dim"]], *, y: Float[Tensor, " rows"] | None = None) -> None:
    del x, y


def halves(
    x: Float[Tensor, "rows dim"], *others: int, y: Float[Tensor, " rows"] | None = None
) -> tuple[Float[Tensor, " rows"], Float[Tensor, "rows dim"] | None]:
    return (x[0] if others else x[:, 0]), (y if others else None)


Two = tuple[Float[Tensor, " rows"], Float[Tensor, " rows"] | None]


def several(x: Two) -> Float[Tensor, " rows"] | None:
    return x[1]


def quoted(x: "Float[Tensor, ' rows']", y: 'Int[np.ndarray, " rows"]') -> "int":
    return len(x) if y[0] else "no number"  # pyright: ignore


def plain(x: int, *more: str, y: float = 1.0) -> bool:
    return x > y if x else None  # pyright: ignore


def parts(x: Float[Tensor, " rows"]) -> Iterator[int]:
    yield from range(len(x))


def twice(x: Float[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """Another size of the same name inside is another call's."""
    checked(same)(torch.zeros(7, 5), torch.zeros(5))
    return torch.cat([x, x]) if x[0] else x


@dataclass(kw_only=True)
class Held:
    x: Float[Tensor, " rows"]
    y: Int[Tensor, " rows"]
    names: list[str] = field(default_factory=list)


class Methods:
    @property
    def number(self) -> int:
        return "none"  # pyright: ignore

    @classmethod
    def made(cls, x: int) -> int:
        return x

    @staticmethod
    def free(x: Float[Tensor, " rows"], y: Float[Tensor, " rows"]) -> None:
        del x, y


def checked(fn: Any, check: Callable = jaxtyped) -> Any:
    """As the import hook would decorate it."""
    return check(fn, typechecker=CHECK)


def number_of(check: Callable) -> int:
    kind: Any = type("Checked", (), {"number": checked(vars(Methods)["number"], check)})
    return kind().number


def made_of(check: Callable, x: object) -> int:
    kind: Any = type("Checked", (), {"made": checked(vars(Methods)["made"], check)})
    return kind.made(x)


def held(check: Callable, **kwargs) -> Held:
    return checked(dataclass(kw_only=True)(type("Held", (), dict(vars(Held)))), check)(**kwargs)


M, V, W = torch.zeros(3, 5), torch.zeros(5), torch.zeros(4)
WHOLE = torch.zeros(5, dtype=torch.int64)
N = np.arange(5)
CALLS = {  # name: call with a check, whether it is right
    "sizes": (lambda c: checked(same, c)(M, V), True),
    "a size of another argument": (lambda c: checked(same, c)(M, W), False),
    "the rank": (lambda c: checked(same, c)(M[0], V), False),
    "the dtype": (lambda c: checked(same, c)(M, WHOLE), False),
    "a size of the result": (lambda c: checked(same, c)(M, V + 1), False),
    "no tensor": (lambda c: checked(same, c)(M, [0.0]), False),
    "by name": (lambda c: checked(same, c)(y=V, x=M), True),
    "by name, wrong": (lambda c: checked(same, c)(y=W, x=M), False),
    "in a list": (lambda c: checked(inside, c)([M], y=torch.zeros(3)), True),
    "in a list, wrong": (lambda c: checked(inside, c)([M], y=V), False),
    "in a tuple": (lambda c: checked(halves, c)(M, y=torch.zeros(3)), True),
    "in a tuple, wrong": (lambda c: checked(halves, c)(M, 1), False),
    "where nothing may be, wrong": (lambda c: checked(halves, c)(M, y=V), False),
    "of a tuple": (lambda c: checked(several, c)((V, V)), True),
    "of a tuple, wrong": (lambda c: checked(several, c)((V, W)), False),
    "in quotes": (lambda c: checked(quoted, c)(V, N + 1), True),
    "in quotes, wrong": (lambda c: checked(quoted, c)(W, N + 1), False),
    "in quotes, the result": (lambda c: checked(quoted, c)(V, N), False),
    "no shape": (lambda c: checked(plain, c)(2, "a", y=1), True),
    "no shape, wrong": (lambda c: checked(plain, c)("2"), False),
    "no shape, further ones": (lambda c: checked(plain, c)(2, 3), False),
    "no shape, the result": (lambda c: checked(plain, c)(0), False),
    "a generator": (lambda c: list(checked(parts, c)(V)), True),
    "a generator, wrong": (lambda c: list(checked(parts, c)(M)), False),
    "a call inside": (lambda c: checked(twice, c)(V), True),
    "after a call inside": (lambda c: checked(twice, c)(V + 1), False),
    "a dataclass": (lambda c: held(c, x=V, y=WHOLE), True),
    "a dataclass, wrong": (lambda c: held(c, x=W, y=WHOLE), False),
    "a property": (number_of, False),
    "a method of the class": (lambda c: made_of(c, 3), True),
    "a method of the class, wrong": (lambda c: made_of(c, "3"), False),
    "a free method": (lambda c: checked(Methods.free, c)(V, V), True),
    "a free method, wrong": (lambda c: checked(Methods.free, c)(V, W), False),
}


@pytest.mark.parametrize("check", [original, jaxtyped], ids=["jaxtyping's", "ours"])
@pytest.mark.parametrize("name", CALLS)
def test_what_is_refused(name: str, check: Callable):
    call, is_right = CALLS[name]
    if is_right:
        call(check)
    else:
        with pytest.raises(REFUSED):
            call(check)


def test_what_has_passed_once_hides_nothing():
    call, held_to = checked(same), checked(scaled)
    for _ in range(3):
        call(M, V)
        held_to(M, 2)
        for args in ((M, W), (M[0], V), (M, WHOLE), (M, V + 1), (M.numpy(), V)):
            with pytest.raises(REFUSED):
                call(*args)
        for args in ((M, "2"), (M, None), ([M], 2)):
            with pytest.raises(REFUSED):
                held_to(*args)


def test_nor_does_what_has_passed_in_tuples_or_where_nothing_was():
    call, some, rows = checked(halves), checked(several), torch.zeros(3)
    for _ in range(3):
        call(M)
        call(M, y=rows)
        assert some((V, None)) is None and some((V, V)) is V
        for args, y in (((M,), V), ((M[0],), None), ((M, 1), None), ((M, 1), rows), ((M,), [0.0])):
            with pytest.raises(REFUSED):
                call(*args, y=y)
        for parts in ((V, W), (V,), (None, V), [V, V], V, (V, WHOLE)):
            with pytest.raises(REFUSED):
                some(parts)


def test_a_function_made_anew_each_time_is_itself_and_checked():
    def made(offset: int) -> Callable[..., int]:
        def add(x: int, *, times: int = 2) -> int:
            return (x + offset) * times

        return checked(add)

    first, second = made(1), made(10)
    assert (first(1), second(1), second(1, times=1)) == (4, 22, 11)
    for call in (first, second):
        with pytest.raises(REFUSED):
            call("1")


def test_the_package_runs_under_it():
    weight = torch.ones(64)
    rms_norm(torch.ones(3, 64), weight, 1e-6)
    for call in (
        lambda: rms_norm(torch.ones(3, 64), torch.ones(65), 1e-6),
        lambda: add_and_norm(torch.ones(3, 64), torch.ones(4, 64), weight, 1e-6),
        lambda: Pacer("no clock"),  # pyright: ignore
    ):
        with pytest.raises(BeartypeCallHintViolation):
            call()
