"""What plugins may import of their host."""

import logging

from plugins._host.protocol import ErrorCodes, PluginError

__all__ = ["ErrorCodes", "PluginError", "configure_host_logging", "get_logger"]


def get_logger(name: str) -> logging.Logger:
    """A logger whose lines the host writes to the plugin's log."""
    return logging.getLogger(name)


def configure_host_logging(*args: object, **kwargs: object) -> None:
    """Does nothing: the host configures the logging of a plugin."""
