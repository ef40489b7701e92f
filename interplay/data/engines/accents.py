"""English phones as another language's speaker would say them: tables, and the choice among them.

Every English phone has several renderings, best first, each of one or two of the language's own
phones. `render` takes, for a whole utterance, the renderings whose pairs of neighbours were all
recorded, and among those the best. Knows nothing about sound, times or how an engine is called.
Phone names: English as festival's phone set `radio`, the others as in their diphone databases.
"""

from collections.abc import Sequence, Set
from itertools import pairwise

PAUSE = "#"
_MISSING = 100.0  # cost of a pair that was not recorded, in steps down a list of renderings


def _table(text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """`phone first second+second ...; phone ...` as renderings by English phone."""
    rows = [row.split() for row in text.split(";")]
    return {phone: tuple(tuple(way.split("+")) for way in ways) for phone, *ways in rows}


_CZECH = _table(
    "aa a: a; ae e a; ah a; ao o: o; aw a+u; ax e a; axr a+r e+r; ay a+j a+i; eh e; er o:+r a+r;"
    "ey e+j e+i; ih i _+i; iy i: i i+j _+i:; ow o+u o; oy o+j o+i; uh u; uw u: u u+v;"
    "b b p; ch c~ dz~; d d t; dh d z t; dx d; f f v; g g k; hh ch h; hv h ch; jh dz~ c~;"
    "k k g; l l; el l; m m; em m; n n n~ n* m; en n; nx n; ng n* n+g n; p p b; r r; s s z;"
    "sh s~ z~; t t d; th s t z; v v f; w u v; y j i; z z s; zh z~ s~"
)
_FINNISH = _table(
    "aa a: a; ae @ @:; ah a; ao o: o; aw a+u; ax 7 e a; axr 7+r 7; ay a+i; eh e; er 7: 7;"
    "ey e+i; ih i; iy i: i; ow o+u o:+u; oy o+i; uh u; uw u: u;"
    "b b p; ch t+S t+s; d d d: t; dh d d: t; dx d; f f f: s; g g k g:; hh h; hv h; jh d+j d+s d+i;"
    "k k k:; l l l: r 7+l l+7; el l; m m m: n; em m; n n n: N; en n; nx n; ng N N: n+g n;"
    "p p p:; r r; s s s:; sh S s s:; t t t:; th T t s; v v f u; w w u v; y j i; z s s:; zh S s s:"
)
_ITALIAN = _table(
    "aa a1 a; ae E1 E a; ah a a1; ao O1 O o; aw a1+u a+u; ax e a; axr E+r; ay a1+i a+i; eh E1 E;"
    "er E1+r E+r; ey e1+i e+i; ih i; iy i1 i; ow o1+u o+u; oy o1+i o+i; uh u; uw u1 u;"
    "b b; ch tS ts; d d; dh d; dx d r; f f; g g; hh f; hv f; jh dZ dz; k k; l l; el l; m m nf n;"
    "em m; n n; en n; nx n; ng ng n+g n; p p; r r; s s; sh S s; t t; th t f; v v; w w u; y j i;"
    "z z s; zh Z dZ z"
)
LANGUAGES = {"czech": _CZECH, "finnish": _FINNISH, "italian": _ITALIAN}


def render(
    phones: Sequence[str], language: str, pairs: Set[tuple[str, str]]
) -> list[tuple[str, ...]]:
    """One rendering per English phone (`pau` becomes PAUSE), with the fewest pairs not in `pairs`.

    `pairs` are the recorded neighbours; a phone may always follow itself. KeyError on a phone that
    the language's table lacks.
    """
    table = LANGUAGES[language] | {"pau": ((PAUSE,),)}
    # best[last phone of the way so far]: (cost, renderings)
    best: dict[str, tuple[float, list[tuple[str, ...]]]] = {}
    for phone in phones:
        row: dict[str, tuple[float, list[tuple[str, ...]]]] = {}
        for rank, way in enumerate(table[phone]):
            inside = rank + _MISSING * sum(joined not in pairs for joined in pairwise(way))
            cost, chosen = min(
                (
                    (cost + _MISSING * (last != way[0] and (last, way[0]) not in pairs), chosen)
                    for last, (cost, chosen) in best.items()
                ),
                default=(0.0, []),
            )
            reached = cost + inside, [*chosen, way]
            row[way[-1]] = min(row.get(way[-1], reached), reached)
        best = row
    return min(best.values())[1] if best else []
