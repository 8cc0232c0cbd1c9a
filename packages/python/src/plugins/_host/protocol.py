"""The error codes and the error of the protocol."""

from appfactory.errors import ErrorCodes, PluginError

__all__ = ["ErrorCodes", "PluginError"]
