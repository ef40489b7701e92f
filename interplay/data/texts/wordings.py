"""How people ask for something to be done at a time or on a cue: wordings for training only.

None of these wordings is one of TimeSpeak-open or CueSpeak-open, but for the first of ONCE and of
EVERY, whose contents are split instead (docs/data.md, "What is held out"). Knows nothing of sound,
time or what is done.
"""

from interplay.data.texts.templates import Wordings

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
    )
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
    )
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
    )
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
    )
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
    )
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
        'when i say {w} wait {t} and say "{x}"',
        'after i say {w} wait {t} then say "{x}"',
        '{t} after you hear {w} say "{x}"',
        'once i say {w} wait for {t} and say "{x}"',
        'if i say {w} wait {t} and then say "{x}"',
        'listen for {w} and say "{x}" {t} after it',
        'as soon as you hear {w} wait {t} and say "{x}"',
    )
)
AFTER_TALK = Wordings(
    (
        'say "{x}" {t} after i stop talking',
        'when i have finished wait {t} and say "{x}"',
        'once i am quiet for {t} say "{x}"',
        'wait until i am done and {t} later say "{x}"',
        'when i stop talking wait {t} then say "{x}"',
        'i will go on for a bit so say "{x}" {t} after my last word',
    )
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
    )
)
TIMES = Wordings(
    (
        'say "{x}" every {t} and {n} times',
        'say "{x}" {n} times with {t} between',
        'every {t} say "{x}" but only {n} times',
        'say "{x}" {n} times and wait {t} in between',
        'i want to hear "{x}" {n} times one every {t}',
        'every {t} say "{x}" until you have said it {n} times',
    )
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
    )
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
    )
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
    )
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
    )
)
LONGER = (
    "tell me when it takes longer than the last time",
    "start again and say when it is longer than last time",
    "now tell me if this takes longer than before",
    "say when this one gets longer than the last",
    "let me know if it takes longer this time",
)
CUE = Wordings(
    (
        'when i say {w} you say "{a}"',
        'each time i say {w} say "{a}"',
        'say "{a}" whenever i say {w}',
        'if you hear {w} say "{a}"',
        'every time you hear {w} say "{a}"',
        'as soon as i say {w} say "{a}"',
        'whenever you hear {w} answer "{a}"',
        'let us play and when i say {w} say "{a}"',
        'listen for {w} and say "{a}" when it comes',
        'say "{a}" each time {w} comes up',
        'if i mention {w} say "{a}"',
        'the moment i say {w} you say "{a}"',
        'shout "{a}" when you hear {w}',
        'answer "{a}" each time you hear {w}',
        'please say "{a}" every time i say {w}',
        'when {w} comes up in my talk say "{a}"',
    )
)
CATEGORY = Wordings(
    (
        'say "{a}" whenever i name {c}',
        'each time you hear {c} say "{a}"',
        'when i mention {c} you say "{a}"',
        'say "{a}" every time i mention {c}',
        'if i name {c} say "{a}"',
        'answer "{a}" when you hear {c}',
        'listen for {c} and then say "{a}"',
    )
)
FILLER = Wordings(
    (
        'say "{a}" whenever i say um or uh',
        'when you hear um or uh say "{a}"',
        'i make noises so say "{a}" each time i say um or uh',
        'if i say um or uh say "{a}"',
        'answer every um or uh with "{a}"',
        'listen for um or uh and say "{a}"',
    )
)
COUNT_WORD = Wordings(
    (
        "count how often i say {w}",
        "count along when i say {w}",
        "count aloud every {w}",
        "each time i say {w} tell me how many times that makes",
        "keep a count of {w} and say it aloud",
        "whenever you hear {w} say the number",
        "count each {w} out loud",
        "count along and say how many times i have said {w}",
    )
)
COUNT_KIND = Wordings(
    (
        "count the {s} in my story aloud",
        "i will tell a story so count the {s} aloud",
        "count along when i name some {s}",
        "count aloud all the {s} that i name",
        "say a number for each of the {s} in my story",
        "keep counting the {s} out loud while i talk",
    )
)
COUNT_QUIETLY = Wordings(
    (
        "listen and count the {s} for me",
        "tell me at the end how many {s} there were",
        "i will tell a story and then ask how many {s} there were",
        "count the {s} in silence and tell me the number later",
        "keep count of the {s} but do not say it yet",
        "quietly count the {s} i mention",
    )
)
HOW_MANY = (
    "how many were there",
    "how many was that",
    "so how many did you count",
    "and how many were that",
    "what is your count",
    "tell me the number now",
)
LAST_WORD = (
    "say the last word again when i say full stop",
    "repeat my last word whenever i say full stop",
    "after every full stop give me the word before it",
    "give me back my last word after each full stop",
    "when i say full stop repeat the word before it",
)
FOREIGN = (
    "if i use a foreign word tell me the english one",
    "say foreign words in english for me",
    "help me when i use a word of another language",
    "give me the english word whenever i use german or spanish",
    "when a foreign word comes up say it in english",
    "put my foreign words into english",
    "whatever i say in another language tell me the english word",
)
TRANSLATE = Wordings(
    (
        "translate what i say into english",
        "please translate everything into english while i talk",
        "say in english what i say in {l}",
        "i will speak {l} so put it into english",
        "tell them in english what i say",
        "give me in english whatever i say in {l}",
        "translate my {l} into english as i go",
        "i do not know the english words so translate for me",
        "turn my {l} into english while i speak",
        "please translate my {l} for them",
        "everything i say in {l} you say in english",
        "interpret what i say for my friends",
    )
)
TRANSLATE_OFF = (
    "stop translating",
    "please stop translating now",
    "you can stop translating",
    "no more translating please",
    "that is all so stop translating",
    "thank you no more english now",
    "end the translation",
    "stop that translation",
)
CORRECT = (
    "tell me right away when i am wrong",
    "correct my mistakes while i talk",
    "if i say something wrong give me the right answer",
    "give me the right result when i make a mistake",
    "point out my mistakes at once",
    "when i get something wrong say what is right",
    "say the right answer whenever i am wrong",
    "catch my mistakes and correct them",
)
NAMED = Wordings(
    (
        "my {k} has the name {m} so help me when i say another name",
        "the name of my {k} is {m} so correct me",
        "remember my {k} is {m} and tell me when i mix it up",
        "my {k} is called {m} so tell me if i get it wrong",
        "the name of my {k} is {m} please correct me",
        "you should know my {k} is {m} so tell me if i say another name",
    )
)
NAME_USED = Wordings(
    (
        "then i met my {k} {m}",
        "yesterday we saw my {k} {m}",
        "it was a gift for my {k} {m}",
        "i gave it to my {k} {m}",
        "my {k} {m} was there too",
        "and my {k} {m} laughed",
    )
)
CUES_OFF = (
    "you can stop that now",
    "forget what i told you",
    "no more of that please",
    "from now on just listen",
    "now stay quiet",
    "that will do thank you",
    "stop doing that",
    "you need not say it any more",
    "okay no more of that",
)
