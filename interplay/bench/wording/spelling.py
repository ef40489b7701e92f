"""One spelling for what was said and what was wanted, and the words of written text.

Lower case, no punctuation, whole numbers as digits ("twenty-one", "one hundred and five"), British
spelling. Also the way back: digits as words that a voice can say. Knows nothing of traces.
"""

import re

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
VALUES = {word: value for value, word in enumerate(ONES)}
VALUES |= {word: 10 * tens for tens, word in enumerate(TENS, 2)}
BRITISH = {
    "aluminum": "aluminium",
    "canceled": "cancelled",
    "center": "centre",
    "color": "colour",
    "colors": "colours",
    "favorite": "favourite",
    "gray": "grey",
    "honor": "honour",
    "jewelry": "jewellery",
    "kilometer": "kilometre",
    "kilometers": "kilometres",
    "liter": "litre",
    "liters": "litres",
    "meter": "metre",
    "meters": "metres",
    "mom": "mum",
    "neighbor": "neighbour",
    "okay": "ok",
    "pajamas": "pyjamas",
    "theater": "theatre",
    "traveling": "travelling",
}
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)*")


def canonical(text: str) -> list[str]:
    """The words of a text in the one spelling; "Twenty-one colors" -> ["21", "colours"]."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower().replace("’", "'"))
    tokens = _TOKEN.findall(text)
    out: list[str] = []
    open_number = ""  # the token that a number may go on from
    for index, token in enumerate(tokens):
        value = VALUES.get(token)
        if token == "hundred":
            is_times = open_number in VALUES and 0 < int(out[-1]) < 100
            out[-1:] = [str(int(out[-1]) * 100)] if is_times else [*out[-1:], "100"]
        elif value is not None and _joins(open_number, out[-1] if out else "", value):
            out[-1] = str(int(out[-1]) + value)
        elif value is not None:
            out.append(str(value))
        elif token[0].isdigit():
            out.append(f"{float(token):g}" if "." in token else str(int(token)))
        elif token == "and" and open_number == "hundred" and tokens[index + 1 : index + 2]:
            if tokens[index + 1] in VALUES:
                continue  # "one hundred and five"
            out.append(token)
        else:
            out.append(BRITISH.get(token, token))
        open_number = token
    return out


def _joins(before: str, number: str, value: int) -> bool:
    """Whether a number word goes on with the number before it ("twenty" + "one")."""
    if before in TENS:
        return 0 < value < 10
    return before == "hundred" and number.isdigit() and 0 < value < 100


def number_words(value: int) -> list[str]:
    """How a whole number is said, up to one hundred; a longer one digit by digit."""
    if value < len(ONES):
        return [ONES[value]]
    if value < 100:
        return [TENS[value // 10 - 2], *([ONES[value % 10]] if value % 10 else [])]
    return ["one", "hundred"] if value == 100 else [ONES[int(digit)] for digit in str(value)]


def one_edit(one: str, other: str) -> bool:
    """Whether at most one letter has to be changed, put in or taken out."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    k = next((i for i, letter in enumerate(short) if letter != long[i]), len(short))
    return short[k + (len(short) == len(long)) :] == long[k + 1 :]
