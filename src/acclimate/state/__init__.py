"""The instant and the fast clock: what the log says by now, as a pure fold over it."""
