"""How people ask for something to be done at a time: wordings for training only.

None of these wordings is one of TimeSpeak-open, but for the first of ONCE and of
EVERY, whose contents are split instead (docs/data.md, "What is held out"). Knows nothing of sound,
time or what is done.
"""

from interplay.data.texts.templates import TOLD, Wordings

_SAY = "(say|you say|please say|then say|tell me|call out|i want to hear|let me hear)"
ONCE = Wordings(
    (
        'say "{x}" in {t}',
        'after {t} say "{x}"',
        'can you say "{x}" in {t}',
        'in {t} please say "{x}"',
        'i want you to say "{x}" in {t}',
        'wait for {t} then say "{x}"',
        'let me hear "{x}" {t} from now',
        'say "{x}" when {t} are over',
        'start a clock and say "{x}" at {t}',
        'tell me in {t} that "{x}"',
        'let me know in {t} that "{x}"',
        'after {t} remind me that "{x}"',
        'please say "{x}" after {t}',
        'i would like to hear "{x}" in {t}',
        'set a timer for {t} and then say "{x}"',
        'could you tell me "{x}" {t} from now',
        'when {t} have passed say "{x}"',
        'give it {t} and then say "{x}"',
        'when {t} are up i want to hear "{x}"',
        'in {t} from now tell me "{x}"',
        'please remind me in {t} that "{x}"',
        'i need to hear "{x}" after {t}',
        'would you say "{x}" when {t} have gone by',
        '{t} from now i want you to say "{x}"',
        'hold on for {t} and then tell me "{x}"',
        'count {t} and say "{x}"',
        'do not forget to say "{x}" in {t}',
        'just say "{x}" in about {t}',
        'say the words "{x}" in {t}',
        'i have {t} left so then say "{x}"',
        'remember to tell me "{x}" after {t}',
        'in exactly {t} say "{x}"',
        "(would you|could you|can you|i want you to|you should|you can) (say|tell me|call out) "
        '"{x}" (after|in|in about|in exactly) {t}',
        "(when|once|as soon as) {t} (are over|have passed|have gone by|are up|are gone) "
        '(say|tell me|call out|please say|i want to hear|let me hear) "{x}"',
        "(i would like to hear|i want to hear|let me hear|do not forget to tell me|remember to "
        'say) "{x}" (after|in|when we have waited) {t}',
    ),
    is_request=True,
)
TWO = Wordings(
    (
        'say "{x}" in {t} and "{y}" in {u}',
        'in {t} i want to hear "{x}" and in {u} "{y}"',
        'after {t} say "{x}" and after {u} say "{y}"',
        'say "{x}" after {t} then "{y}" after {u}',
        'first say "{x}" in {t} and then "{y}" in {u}',
        'i want "{x}" in {t} and "{y}" in {u}',
        'remind me of "{x}" in {t} and of "{y}" in {u}',
        'two things "{x}" in {t} and "{y}" in {u}',
        'tell me "{x}" in {t} and later "{y}" in {u}',
        'in {t} say "{x}" and in {u} say "{y}"',
        'please say "{x}" after {t} and also "{y}" after {u}',
        'let me hear "{x}" in {t} and "{y}" {u} from now',
    ),
    is_request=True,
)
MOVED = Wordings(
    (
        "make that {t}",
        "make it {t} instead",
        "no say it in {t}",
        "change it to {t}",
        "actually say it {t} from now",
        "wait make it {t} from now please",
        "please make it {t}",
        "let us make that {t}",
        "better say it in {t}",
        "no wait say it in {t}",
    ),
    is_request=True,
)
INSTEAD = Wordings(
    (
        'stop that and say "{x}" in {t}',
        'no say "{x}" in {t} instead',
        'never mind that say "{x}" in {t}',
        'drop that and say "{x}" in {t} instead',
        'cancel it and in {t} say "{x}"',
        'scrap that and in {t} say "{x}"',
        'forget that one and say "{x}" in {t}',
        'i changed my mind so say "{x}" in {t}',
    ),
    is_request=True,
)
DROP = Wordings(
    (
        "not the {w} one",
        "please cancel the {w}",
        "forget the {w}",
        "i do not need the {w} one",
        "never mind the {w} please",
        "drop the {w} one",
        "you can forget the {w} one",
        "skip the {w} please",
        "leave out the {w} one",
    ),
    is_request=True,
)
CANCEL = (
    "cancel that",
    "forget it",
    "never mind",
    "cancel the timer",
    "no need for that any more",
    "forget about that",
    "you can drop that",
    "not needed any more",
)
EVENT = Wordings(
    (
        'when i say [{w}] wait {t} and say "{x}"',
        'after i say [{w}] wait {t} then say "{x}"',
        '{t} after you hear [{w}] say "{x}"',
        'once i say [{w}] wait for {t} and say "{x}"',
        'if i say [{w}] wait {t} and then say "{x}"',
        'listen for [{w}] and say "{x}" {t} after it',
        'as soon as you hear [{w}] wait {t} and say "{x}"',
        'say "{x}" {t} after i say [{w}]',
        'the word is [{w}] and {t} after it you say "{x}"',
        'if you hear [{w}] say "{x}" after {t}',
        'when [{w}] comes up wait {t} and say "{x}"',
        '{t} after the word [{w}] tell me "{x}"',
        f"(when|once|as soon as|if) ({TOLD}) [{{w}}] (wait|wait for|let) {{t}} (and|then|and then) "
        f'{_SAY} "{{x}}"',
        f'{{t}} after (the next|{TOLD}) [{{w}}] {_SAY} "{{x}}"',
        f'{_SAY} "{{x}}" {{t}} after (i say|{TOLD}) [{{w}}]',
    ),
    is_request=True,
)
AFTER_TALK = Wordings(
    (
        'say "{x}" {t} after i stop talking',
        'when i have finished wait {t} and say "{x}"',
        'once i am quiet for {t} say "{x}"',
        'wait until i am done and {t} later say "{x}"',
        'when i stop talking wait {t} then say "{x}"',
        'i will go on for a bit so say "{x}" {t} after my last word',
        'when i am done talking give it {t} and say "{x}"',
        'listen until i stop and {t} later say "{x}"',
        'let me finish and then after {t} say "{x}"',
        '{t} after i have finished say "{x}"',
    ),
    is_request=True,
)
EVERY = Wordings(
    (
        'remind me to "{x}" every {t}',
        'please say "{x}" every {t}',
        'say "{x}" every {t} until i say stop',
        'every {t} tell me to "{x}"',
        'keep telling me to "{x}" every {t} until i ask you to stop',
        'tell me "{x}" every {t}',
        'every {t} please say "{x}"',
        'go on saying "{x}" every {t}',
        'i want to hear "{x}" every {t} until i say stop',
        'say "{x}" again and again every {t}',
        'every {t} i want to hear "{x}"',
        'repeat "{x}" every {t}',
        'let me hear "{x}" every {t}',
        'once every {t} say "{x}"',
        'please tell me "{x}" every {t}',
        'say "{x}" to me every {t} until i say stop',
        'i need to hear "{x}" every {t}',
        'each time {t} have passed say "{x}"',
        'every {t} say the words "{x}"',
        'do not stop saying "{x}" every {t}',
    ),
    is_request=True,
)
TIMES = Wordings(
    (
        'say "{x}" every {t} and {n} times',
        'say "{x}" {n} times with {t} between',
        'every {t} say "{x}" but only {n} times',
        'say "{x}" {n} times and wait {t} in between',
        'i want to hear "{x}" {n} times one every {t}',
        'every {t} say "{x}" until you have said it {n} times',
        'repeat "{x}" {n} times every {t}',
        'please say "{x}" {n} times one every {t}',
        '{n} times i want to hear "{x}" every {t}',
    ),
    is_request=True,
)
IN_TURN = Wordings(
    (
        'say "{w}" then "{v}" and change every {t}',
        'every {t} say one of "{w}" and "{v}" in turn',
        'take turns with "{w}" and "{v}" every {t}',
        'say "{w}" and "{v}" one after the other every {t}',
        'alternate between "{w}" and "{v}" every {t}',
        'switch between "{w}" and "{v}" every {t}',
        'first "{w}" then "{v}" and so on every {t}',
        'every {t} say "{w}" and the next time "{v}"',
        '"{w}" and "{v}" by turns every {t}',
        'say "{w}" and after {t} "{v}" and so on',
        'go back and forth between "{w}" and "{v}" every {t}',
        'i breathe so say "{w}" then "{v}" every {t}',
    ),
    is_request=True,
)
CHART = Wordings(
    (
        "make a chart of {x}",
        "draw a graph of {x}",
        "show me a chart with {x}",
        "put {x} in a chart",
        "make me a chart with the numbers {x}",
        "i need a graph of {x}",
        "can you draw {x} as a chart",
    ),
    is_request=True,
)
COUNT_DOWN = Wordings(
    (
        "count down from {n} with a number every {t}",
        "count backwards from {n} one number every {t}",
        "from {n} count down to one slowly every {t}",
        "start at {n} and count down with {t} between",
        "do a countdown from {n} with {t} for each number",
        "count from {n} down to one every {t}",
        "give me a countdown from {n} every {t}",
        "please count down from {n} every {t}",
        "begin with {n} and count down every {t}",
        "say the numbers from {n} down to one every {t}",
    ),
    is_request=True,
)
TALKED = Wordings(
    (
        "say now when i have talked for {t}",
        "give me a sign after {t} of talking",
        "tell me when {t} of my talk are over",
        "i will talk so stop me after {t}",
        "let me know when i have spoken for {t}",
        "stop me when i have talked for {t}",
        "say now after i have been talking for {t}",
        "i have {t} to talk so say when they are over",
        "say now once i have talked for {t}",
        "when my talk has taken {t} give me a sign",
    ),
    is_request=True,
)
LONGER = (
    "tell me when it takes longer than the last time",
    "start again and say when it is longer than last time",
    "now tell me if this takes longer than before",
    "say when this one gets longer than the last",
    "let me know if it takes longer this time",
)
