"""The tree of errors a user can meet. Knows nothing about who raises them.

InterplayError            one clear line: what was seen, what is allowed, what to do next
|- ConfigError            unknown model, recipe, key or value
   |- UnsupportedError    what is measured cannot take what is to be played
|- AudioError             missing, empty, truncated, non-audio or NaN sound
|- VideoError             frames of a shape or type the model cannot see
|- CheckpointError        missing, empty, foreign or damaged weights
|- RecordError            a stored session that cannot be read
|- SynthError             a speech engine or voice that is not installed
|- DeviceError            no microphone or loudspeaker, no permission, disk full
|- SessionError           an illegal move on a live session (closed, full, out of slots)
|- BackgroundError        the background model cannot be used, or cannot be reached
   |- ToolError           a tool refuses: bad arguments, nothing found, too big
|- RequestError           a message or request that the server refuses; has a code for the wire
"""


class InterplayError(Exception):
    """Base of every error meant for a user; the command line prints it and exits with 2."""

    exit_code = 2


class ConfigError(InterplayError):
    """An unknown name or a value out of range; the message lists what is allowed."""


class UnsupportedError(ConfigError):
    """A system that cannot take what an item plays: text, pictures, or sound that is not there."""


class AudioError(InterplayError):
    """Sound that cannot be used."""


class VideoError(InterplayError):
    """Frames that cannot be used."""


class CheckpointError(InterplayError):
    """Weights that cannot be used."""


class RecordError(InterplayError):
    """A stored session that cannot be used."""


class SynthError(InterplayError):
    """A speech engine or voice that is not there; the message says what to install."""


class DeviceError(InterplayError):
    """The machine refuses: no audio device, no write permission, no space left."""


class SessionError(InterplayError):
    """An illegal move on a live session."""


class BackgroundError(InterplayError):
    """The background model, or a server of tools, that cannot be used or reached."""


class ToolError(BackgroundError):
    """A tool that refuses what it was asked; the message is short enough to be said aloud."""


class RequestError(InterplayError):
    """What a server refuses to do for a client.

    code: short and stable, for programs. param: the field it is about. retry_after_s: when the
    same request may succeed, None if it never will.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.param, self.retry_after_s = code, param, retry_after_s
