"""Every error a user can meet, and nothing else: all are subclasses of PalateError.

PalateError
├── DataError            a file, frame or row that cannot be used
├── UnknownIdError       an item or user id that the model has never seen, where one is needed
├── ConfigError          an option that is unknown, of the wrong type or out of range
├── AssetError           a named model or data set that is missing, damaged or cannot be fetched
├── ServiceError         a service on the network that does not answer, or answers nonsense
├── OverloadError        more work than can be taken on, or a deadline that has passed
├── ConflictError        an id that already stands for something else
├── StoreError           a saved folder or database that is missing, damaged, refused or of another format
│   └── FullError        no room left on the disk to write to
├── VersionError         a version that is unknown, refused or no longer where it was thought to be
├── MissingExtraError    a feature whose optional packages are not installed
├── NotFittedError       a stage that was asked before it was fitted
├── ContractError        a stage that broke its contract (an invented item, a wrong shape)
└── LeakError            a split or a text that would let a result look better than it is

The text of an error names the place, the value and the way out. Anything that is not a
PalateError is a bug. `PalateWarning` marks what a user should know and can live with.
"""


class PalateError(Exception):
    """The root of all expected errors."""


class DataError(PalateError):
    """A file, frame or row cannot be used; the text names file, line, column and fix."""


class UnknownIdError(PalateError):
    """An id is not in the catalogue or not among the users."""


class ConfigError(PalateError):
    """An option is unknown, of the wrong type or out of range."""


class AssetError(PalateError):
    """A named model or data set is missing, damaged or cannot be fetched."""


class ServiceError(PalateError):
    """A service on the network does not answer, or answers what it should not."""


class OverloadError(PalateError):
    """More work is waiting than can be taken on, or a deadline has passed; the same may be asked again later."""


class ConflictError(PalateError):
    """An id that the client chose already stands for something else."""


class StoreError(PalateError):
    """A saved folder or database is missing, damaged, refuses a write or was written in another format."""


class FullError(StoreError):
    """There is no room left on the disk to write to; reading and deleting go on."""


class VersionError(PalateError):
    """A version of a served model is unknown, refused by the gate, or not what the caller thought is live."""


class MissingExtraError(PalateError):
    """A feature needs optional packages; the text names the extra to install."""


class NotFittedError(PalateError):
    """A stage was asked before it was fitted."""


class ContractError(PalateError):
    """A stage broke its contract, for example by inventing an item."""


class LeakError(PalateError):
    """A split, profile or feature carries information from the future or the label."""


class PalateWarning(UserWarning):
    """Something a user should know and can live with."""
