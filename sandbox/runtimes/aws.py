"""The session that everything here asks ministack with: the sandbox's own keys, one for each region.

Comes in: a region. Goes out: a boto3 Session. It reads no profile of the person's and is made once, because each one
reads botocore's files anew; endpoints are named by whoever makes a client.
"""

import functools

import boto3


@functools.cache
def session(region: str) -> boto3.Session:
    """With keys that open nothing outside."""
    return boto3.Session(
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the sandbox's, known to everybody
    )
