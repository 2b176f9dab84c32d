"""A GitHub of the sandbox's own: the real API over real HTTP, on a real bare repository, with faults to order."""
