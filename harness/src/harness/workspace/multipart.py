"""`multipart/form-data` bodies, as `WorkspaceClient.workspace.upload` sends them."""

from email import policy
from email.parser import BytesParser

from harness.errors import ApiError


def parse_form(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the fields of a form by name, or raise the platform's 400."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise ApiError(400, "MALFORMED_REQUEST", "The body is not multipart/form-data")
    fields: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content
    return fields
