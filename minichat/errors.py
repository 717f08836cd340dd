"""Everything minichat raises on purpose.

MinichatError
├── RequestError      the caller's messages or options are wrong       (also ValueError)
├── ModelError        the files of a model are wrong                   (also ValueError)
│   └── ModelNotFound there is no such model                           (also FileNotFoundError)
├── Unsupported       a valid model or request that we do not run yet  (also NotImplementedError)
├── OutOfMemory       it does not fit; the message says what would     (also MemoryError)
└── NativeError       the system refused a file, a mapping, a thread   (also OSError)

str(error) is ours: *place: what was found; what is allowed*.  `error` is the
endpoint's own text where it has one, `status_code` the status that it answers with.
"""


class MinichatError(Exception):
    """Base class: catch this to catch them all."""
    status_code = 500

    def __init__(self, message: str, *, error: str | None = None):
        super().__init__(message)
        self.message = message
        self.error = error or message

    def __str__(self) -> str:
        return self.message


class RequestError(MinichatError, ValueError):
    """The message names the field, what it held and what it may hold."""
    status_code = 400


class ModelError(MinichatError, ValueError):
    """The message names the file and the key or tensor at fault."""


class ModelNotFound(ModelError, FileNotFoundError):
    """The message says where was looked."""
    status_code = 404


class Unsupported(MinichatError, NotImplementedError):
    """The message names the feature and, where there is one, the way around."""
    status_code = 400


class OutOfMemory(MinichatError, MemoryError):
    """The message says what was asked for and what there is."""


class NativeError(MinichatError, OSError):
    """The message names the file, the call and the system's reason."""


class MinichatWarning(UserWarning):
    """Of unknown options, the only thing that the library warns of."""
