"""What can go wrong when models are asked.

InferenceError
  DeclarationError     a benchmark's folder says something that cannot be meant
  BenchmarkFileError   a benchmark's file is missing, or is not the declared one
  ItemsError           a benchmark's files do not give the items they should
  TokenizerError       the model's tokenizer cannot be found or read
  EndpointError        the server cannot be reached, or serves another model
    ModelChangedError    the server has served another model since the run began
  RequestError         one request was refused or answered with nonsense
  RunError             a run cannot start: its configuration, or another run of the same model
  RecordingError       what came back cannot be written down
  ServeError           the SGLang server did not start
  SandboxError         generated programs cannot be run safely on this machine
  SamplesFileError     samples that another harness logged cannot be read
"""

from __future__ import annotations


class InferenceError(Exception):
    """A model could not be asked; the message says what was found and what to do."""


class DeclarationError(InferenceError):
    """A benchmark's folder says something that cannot be meant."""


class BenchmarkFileError(InferenceError):
    """A benchmark's file is missing, or is not the declared one."""


class ItemsError(InferenceError):
    """A benchmark's files do not give the items they should."""


class TokenizerError(InferenceError):
    """The model's tokenizer cannot be found or read."""


class EndpointError(InferenceError):
    """The server cannot be reached, or serves another model."""


class ModelChangedError(EndpointError):
    """The server has served another model, revision or weights since the run began."""


class RequestError(InferenceError):
    """One request was refused or answered with nonsense."""


class RunError(InferenceError):
    """A run cannot start: its configuration, or another run of the same model."""


class RecordingError(InferenceError):
    """What came back cannot be written down."""


class ServeError(InferenceError):
    """The SGLang server did not start."""


class SandboxError(InferenceError):
    """Generated programs cannot be run safely on this machine."""


class SamplesFileError(InferenceError):
    """Samples that another harness logged cannot be read."""
