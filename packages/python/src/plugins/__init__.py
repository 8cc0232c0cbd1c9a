"""The package of all plugins: `plugins.<folder>` is the plugin of that folder."""
