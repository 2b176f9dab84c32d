"""Where a service can run: one module each, with the same arguments and outputs, and the shape of a release."""
