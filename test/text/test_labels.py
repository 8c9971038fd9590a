"""Label sets: indices, saving, and errors."""

import pytest

from sure.errors import SureError
from sure.text.labels import Labels

SLOTS = [
    {"object": "lights", "action": "on"},
    {"object": "lamp", "action": "off"},
    {"object": "lights", "action": "off"},
]


def test_indices_do_not_depend_on_the_order_of_utterances():
    labels = Labels.from_utterances(SLOTS)
    assert labels == Labels.from_utterances(SLOTS[::-1])
    assert labels.names == {"action": ["off", "on"], "object": ["lamp", "lights"]}
    assert labels.groups == ["action", "object"]


def test_save_and_load(tmp_path):
    labels = Labels.from_utterances([{"label": "été"}, {"label": "été"}, {"label": "да"}])
    labels.save(tmp_path / "new" / "folder")
    assert Labels.load(tmp_path / "new" / "folder") == labels
    assert "été" in (tmp_path / "new" / "folder" / "labels.json").read_text(encoding="utf-8")  # readable


@pytest.mark.parametrize("utterances", [[], [{}], [{"a": "x"}, {"b": "x"}], [{"a": "x"}, {}]])
def test_missing_labels_are_errors(utterances):
    with pytest.raises(SureError, match="utt2label"):
        Labels.from_utterances(utterances)


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b"{}", b'{"a": []}', b'{"a": ["x", "x"]}', b'{"a": "x"}', b'{"a": [["x"]]}', b"\xff"]
)
def test_damaged_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(SureError, match="labels.json"):
        Labels.load(tmp_path)
