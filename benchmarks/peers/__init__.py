"""The competition.  Modules here run under a peer's interpreter and never import minichat."""
