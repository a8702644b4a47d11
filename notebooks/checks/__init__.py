"""The checks of the exercises, one module a chapter. Reading them spoils the fun; the hints come first."""
