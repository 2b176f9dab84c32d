"""The `aws` types of our Pulumi program, over gRPC, for the real engine.

The engine attaches to it by PULUMI_DEBUG_PROVIDERS=aws:PORT. Comes in: the provider protocol. Goes out: calls to
the AWS APIs that the ordinary environment names, and answers in the shape of pulumi-aws 7.51.1: the same names,
ids, replacement rules and waits. It knows the types that `stacks` declares and refuses every other by name.
"""
