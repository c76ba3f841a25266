"""What can go wrong in this room, as sentences for the person who has to fix it."""

from tagsight.errors import TagsightError


class ReaderError(TagsightError):
    """Base of all errors of `rfid_reader`; its message is one sentence that says what would be right."""


class ReadTableError(ReaderError):
    """A read table (CSV or Parquet) cannot be used."""


class LlrpFrameError(ReaderError):
    """Bytes from the reader are not LLRP; the connection they came from must be closed."""


class ReaderRefused(ReaderError):
    """The reader answered, but will not serve us (it has another client, or rejects a request)."""


class ReaderSilent(ReaderError):
    """The reader stopped answering or sending keepalives."""


class ReaderLost(ReaderError):
    """The connection could not be made or has gone."""


class ReaderSettingsError(ReaderError):
    """The settings ask for something that this reader cannot do."""


class ScenarioError(ReaderError):
    """A simulation scenario is wrong; the message names the file and the key."""


class AntennaCalibrationError(ReaderError):
    """An antenna calibration file, or the recording it should come from, cannot be used."""
