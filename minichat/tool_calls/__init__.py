"""Tool calls as models write them: what is around a call (table), how a call is written (objects,
named, tagged, pythonic, gemma), and which of it all a model does (origin)."""
