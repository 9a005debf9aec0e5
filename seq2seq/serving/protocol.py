"""Reads requests with httptools, which takes less time than h11, and bounds what uvicorn does not bound there."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 << 10  # of a request line with its headers, as h11 has it


class BoundedProtocol(HttpToolsProtocol):
    """One connection; a head, a trailer or the frame of a chunk that does not end is refused with status 400."""

    unread = 0  # bytes since the last head or part of a body was complete

    def data_received(self, data: bytes) -> None:
        """Reads what has arrived."""
        self.unread += len(data)
        super().data_received(data)
        if self.unread > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        """Begins the request."""
        self.unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Reads a part of the body."""
        self.unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends the request."""
        self.unread = 0
        super().on_message_complete()
