"""The registry port in memory."""

from berthmaster.ports.registry import RemoteImage
from berthmaster.testing.world import FakeEngine


class FakeRegistry:
    """`ports.registry.Registry` that knows what was published to it."""

    def __init__(self, world: FakeEngine | None = None) -> None:
        self.world = world or FakeEngine()
        self.digests: dict[str, str] = {}  # by `name:tag`

    def publish(self, reference: str, digest: str) -> None:
        """Put a digest behind a tag, and the image where the engine can pull it."""
        self.digests[reference] = digest
        repository = reference.rpartition(":")[0]
        self.world.add_image(reference, f"{repository}@{digest}", is_local=False)

    async def describe(self, reference: str, architecture: str) -> RemoteImage | None:
        with self.world.calling("registry.describe", reference):
            image = self.world.remote_images.get(reference) or self.world.images.get(reference)
            if image is None:
                return None
            size = image.size_bytes if image.architecture == architecture else 0
            return RemoteImage((image.architecture,), size)

    async def digest(self, reference: str) -> str | None:
        with self.world.calling("registry.digest", reference):
            return self.digests.get(reference)
