"""SNS: a message that reaches people.

Comes in: a topic, a subject, a text. Goes out: one published message; when the answer to it is lost, it is published
again, because a standard topic cannot tell: people may be told twice, and never not at all without an error. It never
decides whom to tell.
"""

from dataclasses import dataclass

from releasectl.edges import aws


@dataclass(frozen=True)
class Sns:
    """Topics of the account that the credentials belong to."""

    def tell(self, region: str, topic: str, *, subject: str, text: str) -> None:
        """Publish. Raises AwsDenied and its like. A subject is at most 100 ASCII characters (SNS Publish)."""
        plain = subject.encode("ascii", "replace").decode()[:100]
        with aws.asking(f"publishing to {topic}"):
            aws.session(region).client("sns", config=aws.CONFIG).publish(
                TopicArn=topic, Subject=plain, Message=text[:200_000]
            )
