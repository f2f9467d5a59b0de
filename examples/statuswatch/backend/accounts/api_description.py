"""How the API's description tells of the two ways to say who asks."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.sessions import ApiTokenAuthentication, SessionAuthentication


class SessionScheme(OpenApiAuthenticationExtension):
    """A person's session."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ApiTokenScheme(OpenApiAuthenticationExtension):
    """A program's key."""

    target_class = ApiTokenAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        what = "`Token` and the key, with a space between"
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": what}
