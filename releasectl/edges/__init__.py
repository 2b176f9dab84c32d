"""The only side effects: one file per outside thing. Nothing but the command line imports them."""
