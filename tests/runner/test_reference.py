from pathlib import Path

from runner.reference import OWN_PACKAGES, language_reference
from schemas import registry

PAGE = Path(__file__).parents[2] / "docs" / "language.md"


def test_every_plugin_and_its_params_stand_in_the_reference() -> None:
    text = language_reference()
    for plugins in (registry.generators, registry.scores, registry.engines, registry.launchers):
        for name in plugins.names():
            if type(plugins.get(name)).__module__.partition(".")[0] not in OWN_PACKAGES:
                continue
            assert f": {name}`" in text
            for key in plugins.get(name).params.model_fields:
                assert f"| `{key}` |" in text


def test_units_bounds_and_defaults_stand_in_the_reference() -> None:
    text = language_reference()
    assert "| `core_hours` | a number greater than 0, in hours |" in text
    assert "| `cores` | a whole number of at least 1 | `1` |" in text


def test_the_page_in_docs_is_the_reference() -> None:
    assert PAGE.read_text() == language_reference(), "run: python -m runner.reference"
