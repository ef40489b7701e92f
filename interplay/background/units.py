"""Conversion between units as a tool: one table of factors, temperatures by their two points.

Factors are the definitions of NIST SP 811 (2008), appendix B; US volumes unless named imperial.
Knows nothing of sentences or sessions.
"""

from dataclasses import dataclass

from interplay.background.calculator import format_number
from interplay.background.tool import Tool, ToolAnswer
from interplay.errors import ToolError


@dataclass(frozen=True, kw_only=True)
class Unit:
    """value in the quantity's base unit = number * factor + offset. name: plural, to be said."""

    quantity: str
    name: str
    factor: float
    offset: float = 0.0


# quantity -> lines of "factor | plural to be said | further spellings"
TABLE = {
    "length": """
        1 | metres | m meter meters metre
        1000 | kilometres | km kilometer kilometers kilometre
        0.01 | centimetres | cm centimeter centimeters centimetre
        0.001 | millimetres | mm millimeter millimeters millimetre
        0.0254 | inches | in inch
        0.3048 | feet | ft foot
        0.9144 | yards | yd yard
        1609.344 | miles | mi mile
        1852 | nautical miles | nmi nautical_mile""",
    "mass": """
        1 | kilograms | kg kilo kilos kilogram
        0.001 | grams | g gram
        0.000001 | milligrams | mg milligram
        1000 | tonnes | t ton tons tonne
        0.45359237 | pounds | lb lbs pound
        0.028349523125 | ounces | oz ounce
        6.35029318 | stone | st stones""",
    "volume": """
        1 | litres | l liter liters litre
        0.001 | millilitres | ml milliliter milliliters millilitre
        0.01 | centilitres | cl centiliter centiliters centilitre
        1000 | cubic metres | m3 cubic_meter cubic_meters cubic_metre
        3.785411784 | gallons | gal gallon
        4.54609 | imperial gallons | imperial_gallon
        0.473176473 | pints | pt pint
        0.56826125 | imperial pints | imperial_pint
        0.2365882365 | cups | cup
        0.01478676478125 | tablespoons | tbsp tablespoon
        0.00492892159375 | teaspoons | tsp teaspoon""",
    "time": """
        1 | seconds | s sec second
        0.001 | milliseconds | ms millisecond
        60 | minutes | min minute
        3600 | hours | h hr hour
        86400 | days | d day
        604800 | weeks | week
        31557600 | years | yr year""",
    "speed": """
        1 | metres per second | m/s meters_per_second meter_per_second metre_per_second
        0.2777777777777778 | kilometres per hour | km/h kmh kph kilometers_per_hour
        0.44704 | miles per hour | mph mile_per_hour
        0.5144444444444445 | knots | kn knot""",
    "area": """
        1 | square metres | m2 square_meter square_meters square_metre
        1000000 | square kilometres | km2 square_kilometer square_kilometers
        10000 | hectares | ha hectare
        4046.8564224 | acres | acre
        0.09290304 | square feet | sqft square_foot
        2589988.110336 | square miles | square_mile""",
    "energy": """
        1 | joules | j joule
        1000 | kilojoules | kj kilojoule
        4184 | kilocalories | kcal kilocalorie calories
        3600000 | kilowatt hours | kwh kilowatt_hour""",
    "pressure": """
        1 | pascals | pa pascal
        100000 | bars | bar
        101325 | atmospheres | atm atmosphere
        6894.757293168 | pounds per square inch | psi""",
    "data": """
        1 | bytes | b byte
        0.125 | bits | bit
        1000 | kilobytes | kb kilobyte
        1000000 | megabytes | mb megabyte
        1000000000 | gigabytes | gb gigabyte
        1000000000000 | terabytes | tb terabyte
        1024 | kibibytes | kib kibibyte
        1048576 | mebibytes | mib mebibyte
        1073741824 | gibibytes | gib gibibyte""",
    "angle": """
        1 | degrees of arc | deg degree_of_arc
        57.29577951308232 | radians | rad radian""",
}
CELSIUS = Unit(quantity="temperature", name="degrees celsius", factor=1.0, offset=273.15)
FAHRENHEIT = Unit(
    quantity="temperature", name="degrees fahrenheit", factor=5 / 9, offset=273.15 - 32 * 5 / 9
)
KELVIN = Unit(quantity="temperature", name="kelvin", factor=1.0)
MAX_NAME_CHARS = 40


def _read_table() -> dict[str, Unit]:
    """Every spelling -> its unit."""
    units: dict[str, Unit] = {}
    for quantity, lines in TABLE.items():
        for line in lines.strip().splitlines():
            factor, name, spellings = (part.strip() for part in line.split("|"))
            unit = Unit(quantity=quantity, name=name, factor=float(factor))
            for spelling in (name, *(s.replace("_", " ") for s in spellings.split())):
                units[spelling] = unit
    for spellings, unit in (
        (("celsius", "c", "°c", "centigrade", "degrees celsius", "degree celsius"), CELSIUS),
        (("fahrenheit", "f", "°f", "degrees fahrenheit", "degree fahrenheit"), FAHRENHEIT),
        (("kelvin", "k", "kelvins", "degrees kelvin"), KELVIN),
    ):
        units |= dict.fromkeys(spellings, unit)
    return units


UNITS = _read_table()


def find_unit(name: str) -> Unit:
    """A unit by its name, its plural or its symbol, in any case. Raises ToolError."""
    unit = UNITS.get(" ".join(name.lower().split()).rstrip("."))
    if unit is None:
        raise ToolError(f"i do not know the unit {name[:MAX_NAME_CHARS]}")
    return unit


def convert(value: float, source: str, target: str) -> float:
    """`value` in units of `source`, expressed in `target`.

    Raises ToolError on an unknown unit, on two that measure different things, and below the
    absolute zero of temperature.
    """
    old, new = find_unit(source), find_unit(target)
    if old.quantity != new.quantity:
        raise ToolError(
            f"{old.name} measure {old.quantity}, {new.name} measure {new.quantity}: "
            "they cannot be converted"
        )
    try:
        base = value * old.factor + old.offset
    except OverflowError:
        raise ToolError("that number is too big") from None
    if old.quantity == "temperature" and base < -1e-9:
        raise ToolError("nothing is colder than absolute zero")
    if abs(base) == float("inf"):
        raise ToolError("that number is too big")
    return (base - new.offset) / new.factor


def _run(now_s: float, /, *, value: float, source: str, target: str) -> ToolAnswer:
    result = float(f"{convert(value, source, target):.6g}")
    old, new = find_unit(source), find_unit(target)
    return ToolAnswer(
        text=f"{format_number(value)} {old.name} are {format_number(result)} {new.name}"
    )


CONVERTER = Tool(
    name="convert_units",
    description="Convert a number from one unit to another: length, mass, volume, time, speed, "
    "area, energy, pressure, temperature, data.",
    parameters={
        "value": {"type": "number", "minimum": -1e30, "maximum": 1e30},
        "source": {"type": "string", "maxLength": MAX_NAME_CHARS, "minLength": 1},
        "target": {"type": "string", "maxLength": MAX_NAME_CHARS, "minLength": 1},
    },
    required=("value", "source", "target"),
    run=_run,
)
