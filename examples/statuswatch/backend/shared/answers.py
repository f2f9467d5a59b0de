"""How the API says no where a program must tell one reason from another."""

from rest_framework.response import Response


def refusal(code: str, message: str, status: int) -> Response:
    """Return an answer with a code for programs and a sentence for people."""
    return Response({"error": {"code": code, "message": message}}, status=status)
