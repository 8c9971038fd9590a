"""Reports in tests of their text have a picture without content, which would take as long as all else."""

import pytest
from matplotlib.figure import Figure

from sure.report import picture


@pytest.fixture(autouse=True)
def quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but drawn only in tests with `figure` in their names."""
    if "figure" not in request.node.name:
        monkeypatch.setattr(picture, "_separate_names", lambda figure: None)
        monkeypatch.setattr(Figure, "savefig", lambda figure, sink, **settings: sink.write(b"\x89PNG"))
