"""How people agree on cues, on interpreting and on an end of it: wordings for training only.

None of these wordings is one of CueSpeak-open (docs/data.md, "What is held out"). Knows nothing of
sound, time or what is done.
"""

from interplay.data.texts.templates import TOLD, Wordings

_WHEN = "(when|whenever|every time|each time|any time|as soon as|once|if|the moment|should)"
_OFTEN = "(when|every time|each time|any time|as soon as|once|if|the moment|should)"
_SAY = (
    "(say|you say|please say|answer|reply|then say|call out|shout|answer with|tell me|"
    "i want to hear|let me hear|just say|respond with)"
)

CUE = Wordings(
    (
        'when i say [{w}] you say "{a}"',
        'each time i say [{w}] say "{a}"',
        'say "{a}" whenever i say [{w}]',
        'if you hear [{w}] say "{a}"',
        'every time you hear [{w}] say "{a}"',
        'as soon as i say [{w}] say "{a}"',
        'whenever you hear [{w}] answer "{a}"',
        'let us play and when i say [{w}] say "{a}"',
        'listen for [{w}] and say "{a}" when it comes',
        'say "{a}" each time [{w}] comes up',
        'if i mention [{w}] say "{a}"',
        'the moment i say [{w}] you say "{a}"',
        'shout "{a}" when you hear [{w}]',
        'answer "{a}" each time you hear [{w}]',
        'please say "{a}" every time i say [{w}]',
        'when [{w}] comes up in my talk say "{a}"',
        'i will say [{w}] and then you say "{a}"',
        'say "{a}" right after i say [{w}]',
        'your word is "{a}" and mine is [{w}]',
        'on [{w}] you say "{a}"',
        'if the word [{w}] comes up say "{a}"',
        'when you hear me say [{w}] reply "{a}"',
        'reply "{a}" whenever i say [{w}]',
        'every [{w}] calls for "{a}"',
        'after each [{w}] say "{a}"',
        'for every [{w}] you say "{a}"',
        'once you hear [{w}] say "{a}"',
        'at the word [{w}] say "{a}"',
        'here is a game so say "{a}" when i say [{w}]',
        'be ready to say "{a}" when i say [{w}]',
        f'{_WHEN} ({TOLD}) [{{w}}] {_SAY} "{{a}}"',
        f'{_OFTEN} i say [{{w}}] {_SAY} "{{a}}"',
        f'{_SAY} "{{a}}" {_OFTEN} (i say|{TOLD}) [{{w}}]',
    ),
    is_request=True,
)
CATEGORY = Wordings(
    (
        'say "{a}" whenever i name [{c}]',
        'each time you hear [{c}] say "{a}"',
        'when i mention [{c}] you say "{a}"',
        'say "{a}" every time i mention [{c}]',
        'if i name [{c}] say "{a}"',
        'answer "{a}" when you hear [{c}]',
        'listen for [{c}] and then say "{a}"',
        'for [{c}] you say "{a}"',
        'as soon as i mention [{c}] say "{a}"',
        'whenever [{c}] comes up say "{a}"',
        'reply "{a}" if i name [{c}]',
        'i will talk and when there is [{c}] say "{a}"',
        f'{_WHEN} ({TOLD}) [{{c}}] {_SAY} "{{a}}"',
        f'{_SAY} "{{a}}" {_WHEN} ({TOLD}) [{{c}}]',
    ),
    is_request=True,
)
FILLER = Wordings(
    (
        'say "{a}" whenever i say um or uh',
        'when you hear um or uh say "{a}"',
        'i make noises so say "{a}" each time i say um or uh',
        'if i say um or uh say "{a}"',
        'answer every um or uh with "{a}"',
        'listen for um or uh and say "{a}"',
        'help me to stop saying um or uh and say "{a}"',
        'say "{a}" for every um or uh',
        'each um or uh of mine you answer with "{a}"',
        'catch me and say "{a}" when i say um or uh',
    ),
    is_request=True,
)
COUNT_WORD = Wordings(
    (
        "count how often i say [{w}]",
        "count along when i say [{w}]",
        "count aloud every [{w}]",
        "each time i say [{w}] tell me how many times that makes",
        "keep a count of [{w}] and say it aloud",
        "whenever you hear [{w}] say the number",
        "count each [{w}] out loud",
        "count along and say how many times i have said [{w}]",
        "say the next number each time you hear [{w}]",
        "i will say [{w}] now and then so count it aloud",
        "count every time i say [{w}]",
        "how often do i say [{w}] count it aloud",
        "for each [{w}] say a number",
        f"(count|count aloud|count out loud|say the next number) {_WHEN} ({TOLD}) [{{w}}]",
        f"{_WHEN} ({TOLD}) [{{w}}] (count it|say how many that makes|tell me the number)",
    ),
    is_request=True,
)
COUNT_KIND = Wordings(
    (
        "count the [{s}] in my story aloud",
        "i will tell a story so count the [{s}] aloud",
        "count along when i name some [{s}]",
        "count aloud all the [{s}] that i name",
        "say a number for each of the [{s}] in my story",
        "keep counting the [{s}] out loud while i talk",
        "there are some [{s}] in my story so count them",
        "every time i name one of the [{s}] say the number",
        "as i tell my story count the [{s}]",
        "say the next number for each of the [{s}]",
        "listen to my story and count the [{s}] out loud",
    ),
    is_request=True,
)
COUNT_QUIETLY = Wordings(
    (
        "listen and count the [{s}] for me",
        "tell me at the end how many [{s}] there were",
        "i will tell a story and then ask how many [{s}] there were",
        "count the [{s}] in silence and tell me the number later",
        "keep count of the [{s}] but do not say it yet",
        "quietly count the [{s}] i mention",
        "do not say it yet but count the [{s}]",
        "remember how many [{s}] i name",
        "count the [{s}] and wait until i ask",
    ),
    is_request=True,
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
    "at each full stop say the word that came before",
    "every time you hear full stop say my last word",
    "say again the word that comes before full stop",
    "full stop means that you repeat my last word",
)
FOREIGN = (
    "if i use a foreign word tell me the english one",
    "say foreign words in english for me",
    "help me when i use a word of another language",
    "give me the english word whenever i use german or spanish",
    "when a foreign word comes up say it in english",
    "put my foreign words into english",
    "whatever i say in another language tell me the english word",
    "i mix languages so say the english word",
    "when i say something foreign give me the english for it",
    "tell me in english what the foreign words are",
    "each foreign word you give me in english",
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
        "be my interpreter and say it in english",
        "they only know english so translate what i say",
        "put everything i say into english",
        "please say my {l} in english while i go on",
        "all my {l} should be said in english",
        "as i talk in {l} you say it in english",
        "listen to my {l} and translate it",
        "start translating what i say",
    ),
    is_request=True,
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
    "no more translation",
    "you need not translate any more",
    "let us go on without english",
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
    "whenever i say something that is not true tell me what is right",
    "i may be wrong so correct me",
    "listen and correct whatever i get wrong",
    "do not let me say wrong things",
    "when something is not right give me the right word",
)
NAMED = Wordings(
    (
        'my [{k}] has the name "{m}" so help me when i say another name',
        'the name of my [{k}] is "{m}" so correct me',
        'remember my [{k}] is "{m}" and tell me when i mix it up',
        'my [{k}] is called "{m}" so tell me if i get it wrong',
        'the name of my [{k}] is "{m}" please correct me',
        'you should know my [{k}] is "{m}" so tell me if i say another name',
        'remind me that my [{k}] is "{m}" when i say another name',
        'my [{k}] is "{m}" so say the name when i get it wrong',
        'if i do not call my [{k}] "{m}" tell me the name',
    ),
    is_request=True,
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
    "that was enough so stop it",
    "please just listen from now on",
    "you are done with that",
    "no need to say it again",
    "leave that now",
)
