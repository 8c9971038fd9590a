"""egs/iemocap: folds, s3prl's lists, damaged and moved files."""

import json
import re

import pytest
import torch
from harness import SETS, Case, append, changes, copy, layout, remove, rename, write

LIST = "Session{}/train_meta_data.json"


@pytest.mark.parametrize("fold, test_count", [("1", 1085), ("2", 1023), ("3", 1151), ("4", 1031), ("5", 1241)])
def test_folds(prepared, capsys, fold, test_count):
    result = prepared(fold=fold)
    assert {id[:5] for id in result.ids["test"]} == {f"Ses0{fold}"}
    assert [len(result.sets[name]) for name in SETS] == [19, 5, 6]
    counts = [int(count) for count in re.findall("published for the full corpus: ([0-9]+)", capsys.readouterr().out)]
    assert sum(counts) == 5531 and counts[2] == test_count


def test_dev_of_a_fold_is_the_second_part_of_random_split(prepared, tmp_path):
    before = prepared(fold="3")
    listed = sorted(before.ids["train"] + before.ids["dev"])[::-1]
    write(LIST.format(3), json.dumps({"meta_data": [{"path": f"a/{id}.wav"} for id in listed]}))(tmp_path)
    torch.manual_seed(0)  # as s3prl does
    length = int((1 - 0.2) * len(listed))
    parts = torch.utils.data.random_split(listed, [length, len(listed) - length])
    after = prepared(fold="3", lists=str(tmp_path))
    assert [after.ids["train"], after.ids["dev"]] == [sorted(part) for part in parts] and after.ids != before.ids


def test_a_list_and_a_corpus_that_differ(prepared, tmp_path):
    names = "Ses02M_impro01_F000 Ses02M_impro01_F001 Ses02M_impro01_M000 Ses03F_impro01_F000 Ses02M_gone_F000".split()
    write(LIST.format(1), json.dumps({"meta_data": [{"path": f"somewhere/{name}.wav"} for name in names]}))(tmp_path)
    result = prepared(fold="1", lists=str(tmp_path))
    assert {*result.ids["train"], *result.ids["dev"]} <= {*names[:-1]} and len(result.ids["dev"]) <= 1
    assert result.reasons["utterances that s3prl's list does not have"] == 20
    assert ("utterances of s3prl's list that the corpus does not have", names[-1]) in result.left_out


NAME = "Ses01F_impro01"
WAV, TAGS = f"Session1/sentences/wav/{NAME}/{NAME}", f"Session1/dialog/EmoEvaluation/{NAME}.txt"
LINE = "[1.0 - 2.0]\t{}\t{}\t[1, 1, 1]\n"
NOT_READ = [remove(*(f"Session{number}/dialog/transcriptions" for number in range(1, 6))), rename("*", str.lower)]
test_changes = changes({
    "no recording": Case(remove(f"{WAV}_F000.wav"), gone=f"{NAME}_F000",
                         left_out={"evaluations without a recording": f"{NAME}_F000"}),
    "no evaluation": Case(copy(f"{WAV}_F001.wav", f"{WAV}_F009.wav"),
                          left_out={"recordings without an evaluation": f"{WAV}_F009.wav"}),
    "two tags": Case(append(TAGS, LINE.format(f"{NAME}_F001", "sad")), gone=f"{NAME}_F001",
                     left_out={"utterances with two different tags": f"{NAME}_F001",
                               "recordings without an evaluation": f"{WAV}_F001.wav"}),
    "the same tag twice": Case(append(TAGS, LINE.format(f"{NAME}_F001", "hap"))),
    "unreadable evaluations": Case(
        append(TAGS, "[1.0 - 2.0]\tunknown\n" + LINE.format(f"{NAME}_F002", "fun")),
        left_out={"evaluations that cannot be read": [f"{NAME}.txt:27: [1.0 - 2.0] unknown",
                                                      f"{NAME}.txt:28: [1.0 - 2.0] {NAME}_F002 fun [1, 1, 1]"]}),
    "one session": Case(given="Session1", error="not found: Session2, Session3, Session4, Session5, each with dialog/"),
    "no evaluations": Case(remove("Session3/dialog/EmoEvaluation"), error="Session3/dialog/EmoEvaluation: no such"),
    "two copies": Case(copy("Session1", "copy/Session1"), error="session 1 is in .* and in .*pass one of"),
    "lists without a fold": Case(options={"lists": "x"}, error="fold=1"),
    "lists of other classes": Case(options={"lists": "x", "fold": "1", "classes": "11"}, error="classes=4"),
    "lists that are not there": Case(options={"lists": "nowhere", "fold": "1"},
                                     error=r"cannot read nowhere/Session1/train_meta_data\.json"),
    "files that are not needed": layout(NOT_READ),
})  # fmt: skip


@pytest.mark.parametrize("content", ["[]", "{", '{"meta_data": [{}]}'])
def test_a_list_in_another_form(recipe, tmp_path, content):
    write(LIST.format(1), content)(tmp_path)
    options = {"fold": "1", "lists": str(tmp_path)}
    recipe.check(Case((), options, error="data.json: expected s3prl's list"), recipe.corpus, tmp_path / "out")
