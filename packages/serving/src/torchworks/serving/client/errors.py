"""The error of the Python client. Imports neither torch nor an HTTP library."""


class ServiceError(Exception):
    """The service refused, or did not answer. `status` is that of HTTP, 0 without an answer, and 200 of a stream that
    had begun; `code` is one word such as "too_large", "timeout" or "unreachable"; `request_id` finds the request in the
    service's log."""

    def __init__(self, status: int, code: str, message: str, request_id: str = ""):
        super().__init__(message)
        self.status, self.code, self.message, self.request_id = status, code, message, request_id

    def __str__(self) -> str:
        number = f", request {self.request_id}" if self.request_id else ""
        return f"{self.message} ({self.status or 'no answer'} {self.code}{number})"
