"""Arithmetic as a tool: an expression is parsed, its tree is walked, nothing is ever executed.

Every step is bounded before it is computed, so that no expression takes long or much memory.
Knows nothing of units, words or sessions.
"""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from interplay.background.tool import Tool, ToolAnswer
from interplay.errors import ToolError

MAX_CHARS = 200
MAX_BITS = 4096  # of an integer on the way
MAX_DIGITS = 15  # of an integer that is given back in full
MAX_FACTORIAL = 200

Number = int | float
# "2if", "0x1" and the like are not arithmetic; Python's own parser warns about some of them
ALLOWED = re.compile(r"[0-9A-Za-z_.,+\-*/%() \t]*")
DIGIT_BEFORE_LETTER = re.compile(r"\d(?![eE][+-]?\d)[A-Za-z_]")

BINARY: dict[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
UNARY: dict[type, Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}


def _factorial(n: Number) -> int:
    if not (isinstance(n, int) and 0 <= n <= MAX_FACTORIAL):
        raise ToolError(f"factorials are for whole numbers from 0 to {MAX_FACTORIAL}")
    return math.factorial(n)


def _round(x: Number, digits: Number = 0) -> Number:
    if not (isinstance(digits, int) and 0 <= digits <= MAX_DIGITS):
        raise ToolError(f"i can round to 0 to {MAX_DIGITS} digits")
    return round(x, digits) if digits else round(x)


# name -> function, fewest and most arguments
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "sqrt": (math.sqrt, 1, 1),
    "abs": (abs, 1, 1),
    "round": (_round, 1, 2),
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "min": (min, 2, 50),
    "max": (max, 2, 50),
    "exp": (math.exp, 1, 1),
    "log": (math.log, 1, 2),
    "log2": (math.log2, 1, 1),
    "log10": (math.log10, 1, 1),
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "tan": (math.tan, 1, 1),
    "asin": (math.asin, 1, 1),
    "acos": (math.acos, 1, 1),
    "atan": (math.atan, 1, 1),
    "radians": (math.radians, 1, 1),
    "degrees": (math.degrees, 1, 1),
    "factorial": (_factorial, 1, 1),
}


def calculate(expression: str) -> Number:
    """The value of an arithmetic expression in Python's spelling; `^` is a power, too.

    Allowed: numbers, + - * / // % **, brackets, pi, e, tau and the names in `FUNCTIONS`; angles
    are in radians. Raises ToolError on anything else, on overflow and on division by zero.
    """
    text = expression.strip().replace("^", "**")
    if not text or len(text) > MAX_CHARS:
        raise ToolError(f"an expression has 1 to {MAX_CHARS} characters, this has {len(text)}")
    if not ALLOWED.fullmatch(text) or DIGIT_BEFORE_LETTER.search(text):
        raise ToolError("that is not arithmetic")
    try:
        value = _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError):
        raise ToolError("that is not arithmetic") from None
    except ZeroDivisionError:
        raise ToolError("that divides by zero") from None
    except OverflowError:
        raise ToolError("that number is too big") from None
    except ValueError:
        raise ToolError("that has no value") from None  # the root or logarithm of less than zero
    return _real(value)


def format_number(value: Number) -> str:
    """As it would be written down: whole numbers in full up to 15 digits, else 10 digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**MAX_DIGITS:
        value = int(value)
    if isinstance(value, int) and abs(value) < 10**MAX_DIGITS:
        return str(value)
    try:
        return f"{value:.10g}"
    except OverflowError:
        digits = math.floor(math.log10(abs(value)))
        return f"about 10 to the power of {digits}"


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return _binary(type(op), _value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return _call(name, [_value(arg) for arg in args])
        case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name):
            raise ToolError(f"i do not know {name!r}; i know {', '.join(FUNCTIONS)}")
    raise ToolError("that is not arithmetic")


def _binary(op: type, left: Number, right: Number) -> Number:
    if op is ast.Pow and isinstance(left, int) and isinstance(right, int):
        num_bits = abs(left).bit_length() * abs(right)
    elif isinstance(left, int) and isinstance(right, int):
        num_bits = abs(left).bit_length() + abs(right).bit_length()
    else:
        num_bits = 0  # floats overflow by themselves
    if num_bits > MAX_BITS:
        raise ToolError("that number is too big")
    return _real(BINARY[op](left, right))


def _call(name: str, args: list[Number]) -> Number:
    function, fewest, most = FUNCTIONS[name]
    if not fewest <= len(args) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise ToolError(f"{name} takes {wanted} numbers, not {len(args)}")
    return _bounded(function(*args))


def _real(value: object) -> Number:
    if isinstance(value, complex):  # (-8) ** 0.5
        raise ToolError("that has no real value")
    assert isinstance(value, int | float)
    return _bounded(value)


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        if abs(value).bit_length() > MAX_BITS:
            raise ToolError("that number is too big")
    elif not math.isfinite(value):
        raise ToolError("that number is too big")
    return value


def _run(now_s: float, /, *, expression: str) -> ToolAnswer:
    return ToolAnswer(text=format_number(calculate(expression)))


CALCULATOR = Tool(
    name="calculate",
    description="Exact arithmetic, for example 'sqrt(2) * (3 + 4) ** 2'. Use it for every sum.",
    parameters={"expression": {"type": "string", "minLength": 1, "maxLength": MAX_CHARS}},
    required=("expression",),
    run=_run,
)
