"""What the pytest plugin stands on: folders, an event loop, a host over stdio, checks of a contract."""
