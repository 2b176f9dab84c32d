# Two commands are all a new machine needs: `make demo` and `make test`. Each sets up what it lacks.
UV := .tools/uv/bin/uv
