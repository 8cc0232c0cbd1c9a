"""The contracts that come with App Factory: how methods of either dialect answer the wire's calls."""
