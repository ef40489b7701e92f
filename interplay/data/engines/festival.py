"""Festival in a child process of its own, spoken to in Scheme (Debian: festival, festvox-kdlpc16k).

Voice specs: `festival:VOICE:dSTRETCH:pPITCH` (duration stretch and pitch factor), all LPC diphones.
ked is an American man; the others speak another language, and English with an accent: the English
front end plans phones, durations and pitch, their diphones say it. Knows nothing
about trimming, resampling or banks. Commands, relations and features: the Festival manual,
"Utterances" and "UniSyn synthesizer".
"""

import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

import numpy as np
import soundfile

from interplay.data.engines.diphones import SPEAKERS, foreign_segments, phone_names
from interplay.data.engines.raw import RawSpeech, Setting, parse_voice
from interplay.data.phones import SILENCE, from_flite
from interplay.errors import SynthError

VOICES = ("ked", *SPEAKERS)
SETTINGS = {
    "d": Setting(meaning="duration stretch", default=1.0, low=0.5, high=2.0),
    "p": Setting(meaning="pitch factor", default=1.0, low=0.5, high=2.0),
}
TIMEOUT_S = 60.0  # for one utterance, which takes about 20 ms: only a child that hangs meets it
INSTALL = (
    "run `apt install festival festvox-kdlpc16k`, or use an espeak voice such as espeak:en-us+f3"
)
_NATURAL_STRETCH = 1.25  # the pace of flite's voices; the voice's own, 1.1, is a fifth above rms
_PITCH_HZ, _PITCH_SPREAD_HZ = 105, 15  # the voice's own
_TEXT = re.compile(r"[A-Za-z' ]+")
_SEGMENT = re.compile(r"segment (\d+) (\S+) (\S+)")
_TARGET = re.compile(r"target (\S+) (\S+)")
_DONE = "interplay-done"
_PHONES = " ".join(f"({name} -)" for name in phone_names())
# Every segment is printed with the number of its token, counted from 1; 0 where there is none.
_PREPARE = """
(voice_ked_diphone)
(set! interplay_hooks UniSyn_module_hooks)
(defPhoneSet interplay ((vc + -)) (%s))
(PhoneSet.silences '(#))
(define (interplay_begin phones database hooks)
  (Parameter.set 'PhoneSet phones)
  (PhoneSet.select phones)
  (set! UniSyn_module_hooks hooks)
  (us_db_select database))
(define (interplay_text text stretch pitch spread)
  (interplay_begin 'radio ked_db_name interplay_hooks)
  (Parameter.set 'Duration_Stretch stretch)
  (set! int_lr_params
    (list (list 'target_f0_mean pitch) (list 'target_f0_std spread)
          (list 'model_f0_mean 170) (list 'model_f0_std 34)))
  (eval (list 'Utterance 'Text text)))
(define (interplay_list utterance)
  (let ((number 0) token)
    (set! token (utt.relation.first utterance 'Token))
    (while token
      (set! number (+ number 1))
      (item.set_feat token "interplay_word" number)
      (set! token (item.next token)))
    (mapcar
      (lambda (segment)
        (format t "\\nsegment %%d %%s %%f\\n"
          (item.feat segment "R:SylStructure.parent.parent.R:Token.parent.interplay_word")
          (item.name segment)
          (item.feat segment "end")))
      (utt.relation.items utterance 'Segment))))
(define (interplay_speak text stretch pitch spread path)
  (let ((utterance (utt.synth (interplay_text text stretch pitch spread))))
    (interplay_list utterance)
    (utt.save.wave utterance path 'riff)))
(define (interplay_plan text stretch pitch spread)
  (let ((utterance (interplay_text text stretch pitch spread)))
    (mapcar
      (lambda (module) (module utterance))
      (list Initialize Text Token_POS Token POS Phrasify Word Pauses Intonation PostLex Duration
            Int_Targets))
    (interplay_list utterance)
    (mapcar
      (lambda (target)
        (format t "\\ntarget %%f %%f\\n" (item.feat target "pos") (item.feat target "f0")))
      (utt.relation.leafs utterance 'Target))))
(define (interplay_join database segments path)
  (interplay_begin 'interplay database nil)
  (utt.save.wave (utt.synth (eval (list 'Utterance 'Segments segments))) path 'riff))
"""
_LOAD = """
(us_diphone_init
  (list '(name "%(name)s") '(index_file "%(file)s") '(grouped "true") '(default_diphone "#-#")))
"""


def missing_voices() -> dict[str, str]:
    """Debian packages, by speaker, of the foreign speakers whose diphones are not installed."""
    return {name: s.package for name, s in SPEAKERS.items() if s.file() is None}


class Festival:
    """One child per process, started at once; it ends when its standard input does."""

    name = "festival"
    example = "festival:ked"

    def __init__(self) -> None:
        program = shutil.which(self.name)
        if program is None:
            raise SynthError(f"festival is not installed; {INSTALL}")
        self._program = program
        self._children: dict[int, _Child] = {}  # by process: a fork must not share its parent's
        self._child()

    def speak(self, words: list[str], voice: str) -> RawSpeech:
        """Say the words (letters and apostrophes) with a voice spec; pauses are not added.

        Raises SynthError on an unknown voice or setting, and when the child fails or hangs.
        """
        name, values = parse_voice(voice, SETTINGS)
        if name not in VOICES:
            raise SynthError(f"festival voice {name!r} is not one of {', '.join(VOICES)}")
        if package := missing_voices().get(name):
            raise SynthError(
                f"festival's voice {name} is not installed; run `apt install {package}`, "
                f"or use another voice such as {self.example}"
            )
        text = " ".join(words)
        if not _TEXT.fullmatch(text):
            raise SynthError(f"festival cannot speak {text!r}; use letters and apostrophes only")
        speaker = SPEAKERS.get(name)
        natural = (
            (speaker.pitch_hz, speaker.spread_hz) if speaker else (_PITCH_HZ, _PITCH_SPREAD_HZ)
        )
        pitch, spread = (values["p"] * value for value in natural)
        spoken = f'"{text}" {values["d"] * _NATURAL_STRETCH:.4f} {pitch:.2f} {spread:.2f}'
        with tempfile.TemporaryDirectory(prefix="interplay-") as folder:
            path = Path(folder, "speech.wav")
            if speaker:
                lines = self._ask(f"(interplay_plan {spoken})")
                remarks = self._join(name, lines, path)
            else:
                lines = remarks = self._ask(f'(interplay_speak {spoken} "{path}")')
            if not path.exists():
                raise SynthError(f"festival did not speak {text!r}: {' '.join(remarks)}")
            samples, rate = soundfile.read(path, dtype="int16")
        if speaker:  # mv's recordings lie beside zero
            samples = np.clip(samples - samples.mean().round(), -32768, 32767).astype(np.int16)
        return RawSpeech(samples=samples, sample_rate_hz=rate, phones=_read_phones(lines))

    def _join(self, name: str, plan: list[str], path: Path) -> list[str]:
        """Speak a planned English utterance with a foreign speaker's diphones into a file."""
        file = SPEAKERS[name].file()
        assert file is not None
        child = self._child()
        if name not in child.databases:
            self._ask(_LOAD % {"name": name, "file": file})
            child.databases.add(name)
        segments = [(s[2], float(s[3])) for line in plan if (s := _SEGMENT.fullmatch(line))]
        targets = [(float(t[1]), t[2]) for line in plan if (t := _TARGET.fullmatch(line))]
        written, start_s = "", 0.0
        for phone, end_s in foreign_segments(segments, name, file):
            inside = [(at_s - start_s, f0) for at_s, f0 in targets if start_s <= at_s < end_s]
            pitches = " ".join(f"({at_s:.4f} {f0})" for at_s, f0 in inside)
            written += f"({phone} {end_s - start_s:.4f} {pitches})"
            start_s = end_s
        return self._ask(f'(interplay_join "{name}" \'({written}) "{path}")')

    def _child(self) -> "_Child":
        """This process's child; a new one after a failure."""
        owner = os.getpid()
        if owner not in self._children:
            self._children[owner] = _Child(self._program)
            errors = [line for line in self._ask(_PREPARE % _PHONES) if "ERROR" in line]
            if errors:
                self._children.pop(owner).stop()
                raise SynthError(f"festival has no voice ked ({errors[0]}); {INSTALL}")
        return self._children[owner]

    def _ask(self, command: str) -> list[str]:
        """Lines the child printed while it followed a command. Raises SynthError if it fails."""
        child = self._child()
        try:
            return child.ask(command)
        except OSError as error:
            self._children.pop(os.getpid()).stop()
            raise SynthError(
                f"festival failed ({error}) and is started afresh for the next text; "
                "does `festival --pipe` run?"
            ) from None


class _Child:
    """A running `festival --pipe`."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(
            [program, "--pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.databases: set[str] = set()  # of foreign speakers, loaded so far
        self.stop = weakref.finalize(self, _stop, self._process, os.getpid())

    def ask(self, command: str) -> list[str]:
        """Raises OSError when the child has ended or is silent for too long."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f'{command}\n(format t "\\n{_DONE}\\n")\n(fflush nil)\n'.encode())
        ending, heard = f"\n{_DONE}\n".encode(), b""
        deadline = time.monotonic() + TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not heard.endswith(ending):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"no answer in {TIMEOUT_S:g} s")
                block = os.read(process.stdout.fileno(), 1 << 16)
                if not block:
                    raise BrokenPipeError("it ended")
                heard += block
        lines = heard.removesuffix(ending).decode("utf-8", "replace").splitlines()
        return [line for line in lines if line.strip()]


def _stop(process: subprocess.Popen, owner: int) -> None:
    """Kill and reap a child; a fork leaves its parent's alone."""
    if os.getpid() != owner:
        return
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def _read_phones(lines: list[str]) -> list[tuple[int, int, float, float]]:
    """Phones with the word each belongs to, from the child's list of segments."""
    phones: list[tuple[int, int, float, float]] = []
    start_s = 0.0
    for line in lines:
        segment = _SEGMENT.fullmatch(line)
        if segment is None:
            continue  # a remark, such as on a pair of sounds that was never recorded
        number, end_s = int(segment[1]), float(segment[3])
        phone = from_flite(segment[2])
        if number:
            phones.append((number - 1, phone, start_s, end_s))
        elif phone != SILENCE:  # the voice cuts "er" in two: the second part has no word
            word, phone, began_s, _ = phones[-1]
            phones[-1] = word, phone, began_s, end_s
        start_s = end_s
    return phones
