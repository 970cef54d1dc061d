"""A mapping in which the keys of a plug-in stand beside those of the language."""

from pydantic import ConfigDict

from schemas.model import JsonValue, Model


class Block(Model):
    """Known keys as fields; every other key belongs to the plug-in that the block names."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    @property
    def own(self) -> dict[str, JsonValue]:
        """The plug-in's keys, as written."""
        return dict(self.model_extra or {})
