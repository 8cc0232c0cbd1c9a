"""The plugin half of the runtime: from an entry file to methods that the process half calls."""

from appfactory.plugin.loaded import LoadedClass, Plugin, load
from appfactory.plugin.methods import Arguments, Method
from appfactory.plugin.thrown import explain

__all__ = ["Arguments", "LoadedClass", "Method", "Plugin", "explain", "load"]
