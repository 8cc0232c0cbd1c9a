"""A plugin's process: the connection to the host, and when which code of the author runs."""
