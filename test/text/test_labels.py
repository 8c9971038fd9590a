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
    assert labels.groups == ["action", "object"]
    assert labels.names("object") == ["lamp", "lights"]
    assert [labels.index("action", name) for name in labels.names("action")] == [0, 1]


def test_save_and_load(tmp_path):
    labels = Labels.from_utterances([{"label": "été"}, {"label": "été"}, {"label": "да"}])
    labels.save(tmp_path / "new" / "folder")
    assert Labels.load(tmp_path / "new" / "folder") == labels
    assert "été" in (tmp_path / "new" / "folder" / "labels.json").read_text(encoding="utf-8")  # readable


def test_errors_of_unknown_labels_and_groups_list_the_known_ones():
    labels = Labels.from_utterances(SLOTS)
    with pytest.raises(SureError, match="'dim'.*'action'.*off on"):
        labels.index("action", "dim")
    with pytest.raises(SureError, match="'place'.*action object"):
        labels.names("place")


@pytest.mark.parametrize("utterances", [[], [{}], [{"a": "x"}, {"b": "x"}], [{"a": "x"}, {}]])
def test_missing_labels_are_errors(utterances):
    with pytest.raises(SureError, match="utt2label"):
        Labels.from_utterances(utterances)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"a": []}', b'{"a": ["x", "x"]}', b'{"a": "x"}', b'{"a": [["x"]]}', b"\xff"],
)
def test_damaged_file_is_named(tmp_path, content):
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(SureError, match="labels.json"):
        Labels.load(tmp_path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SureError, match="labels.json does not exist"):
        Labels.load(tmp_path / "nowhere")
