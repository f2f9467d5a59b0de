"""What answers have in common: pages of lists, and a no where a program must tell one reason from another."""

from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response


class Pages(PageNumberPagination):
    """Pages of 50; who wants a whole list asks for `page_size`."""

    page_size_query_param = "page_size"
    max_page_size = 200


def refusal(code: str, message: str, status: int) -> Response:
    """Return an answer with a code for programs and a sentence for people."""
    return Response({"error": {"code": code, "message": message}}, status=status)
