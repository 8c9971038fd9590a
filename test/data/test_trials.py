"""Trial lists: read, made from speakers, kept with their data folder, and mistakes in them named."""

import random
from collections import Counter

import pytest
from audio_files import tone, write_audio
from damage import replace

from sure.bin import trials as command
from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.data.trials import Trial, format_trials, make_trials, read_trials
from sure.data.validate import validate_data_dir
from sure.errors import SureError

KNOWN = {"a", "b", "c"}
TRIALS = [Trial("a", "b", True), Trial("b", "a", True), Trial("a", "c", False), Trial("c", "b", False)]


def data_folder(here, speakers="xxyy", trials=None):
    """Utterances a, b, c, ... of these speakers."""
    utterances = []
    for number, (id, speaker) in enumerate(zip("abcdefgh", speakers, strict=False)):
        path = write_audio(here / "corpus" / f"{id}.wav", tone(0.5, seed=number))
        utterances.append(Utterance(id, str(path), speaker=speaker))
    folder = write_data_dir(here / "set", utterances)
    if trials:
        (folder / "trials").write_text(trials)
    return folder


@pytest.mark.parametrize("text", [
    format_trials(TRIALS), "1 a b\n1 b a\n0 a c\n0 c b\n",
    "\ufeff1 a b\r\nb a target\n\r\n  a\tc   nontarget\n0 c b",
])  # fmt: skip
def test_both_formats_are_read(tmp_path, text):
    (tmp_path / "trials").write_text(text, encoding="utf-8", newline="")
    assert read_trials(tmp_path / "trials", KNOWN) == TRIALS


@pytest.mark.parametrize(("lines", "message"), [
    (["a d target", "1 d a"], "no utterance 'd'"),
    (["0 a b/c.wav"], "no utterance 'b/c.wav'"),
    (["a b target", "0 a b"], "the trial 'a b' is already on line 1"),
    (["b a nontarget"], "'b a' is nontarget here, but not on line 1"),
    (["c c target"], "'c' is compared with itself"),
    (["a c Target", "a c 1", "2 a c", "a c", "a", "a b c target"], "expected 'id id target', .*found '{line}'"),
])  # fmt: skip
def test_a_mistake_is_one_error_with_file_and_line(tmp_path, lines, message):
    path = tmp_path / "trials"
    for line in lines:
        path.write_text(f"a b target\na c nontarget\n\n{line}\n")
        with pytest.raises(SureError, match=f"^{path}:4: {message.format(line=line)}"):
            read_trials(path, KNOWN)


def test_trials_are_stored_with_their_first_utterance(here):
    folder = data_folder(here, "xxy", "1 a b\n0 c b\n0 a c\n")
    utterances = read_data_dir(folder)
    assert [one.trials for one in utterances] == [(("b", True), ("c", False)), (), (("b", False),)]
    write_data_dir(folder, utterances)
    assert (folder / "trials").read_text() == "a b target\na c nontarget\nc b nontarget\n"


def test_validation_removes_the_trials_of_removed_utterances(here):
    text = "a b target\na c nontarget\nb d nontarget\n"
    folder = data_folder(here, "xxyy", text)
    validate_data_dir(folder)
    assert (folder / "trials").read_text() == text
    replace(folder / "wav.scp", "", "b another.wav\nc none.wav\n")
    report = validate_data_dir(folder, "skip")
    assert "3 of 3 trials of removed utterances were left out" in str(report)
    assert (folder / "trials").read_text() == "" and (folder / ".backup" / "trials").read_text() == text
    assert [one.id for one in read_data_dir(folder)] == ["a", "d"]


def speakers(sizes):
    """Random ids -> speaker; as many for each speaker as `sizes` has."""
    ids = random.Random(1).sample(range(1000), sum(sizes))
    return {f"u{id}": f"s{index}" for index, size in enumerate(sizes) for id in (ids.pop() for _ in range(size))}


@pytest.mark.parametrize(("sizes", "most", "targets", "nontargets"), [
    ([3, 1, 4], 28, 9, 19),  # all pairs
    ([3, 3, 3], 30, 9, 21),  # of 9 and 27
    ([30, 1], 100, 70, 30),  # of 435 and 30
    ([2, 1], 2, 1, 1),
    ([200, 300, 400], 1001, 500, 501),
])  # fmt: skip
def test_both_kinds_have_equal_parts_of_a_sample_if_possible(sizes, most, targets, nontargets):
    of = speakers(sizes)
    trials = make_trials(of, most)
    assert Counter(trial.target for trial in trials) == {True: targets, False: nontargets}
    assert trials == sorted(trials) and len({trial[:2] for trial in trials}) == len(trials)
    assert all(trial.first < trial.second for trial in trials)
    assert all(trial.target == (of[trial.first] == of[trial.second]) for trial in trials)
    assert make_trials(dict(reversed(of.items())), most) == trials


def test_a_sample_is_even_over_pairs():
    of = speakers([3, 4, 2])
    drawn = Counter(trial for seed in range(2000) for trial in make_trials(of, 10, seed))
    assert len(drawn) == 36
    for trial, count in drawn.items():  # 5 of 10 targets, 5 of 26 nontargets
        expected = 2000 * (5 / 10 if trial.target else 5 / 26)
        assert abs(count - expected) < 5 * expected**0.5


def test_samples_are_equal_in_all_versions_and_large_sets_possible():
    trials = make_trials({f"u{number}": f"s{number % 3}" for number in range(30)}, most=4)
    assert format_trials(trials) == "u14 u23 target\nu17 u8 target\nu18 u29 nontarget\nu25 u27 nontarget\n"
    trials = make_trials({f"{index:06d}": str(index % 1000) for index in range(100_000)})  # 5e9 pairs
    assert Counter(trial.target for trial in trials) == {True: 10_000, False: 10_000}


def test_the_command_makes_a_list_unless_it_exists(here, capsys):
    folder = data_folder(here)
    path = folder / "trials"
    command.main([str(folder), "--most", "5"])
    assert path.read_text().count("\n") == 5
    path.write_text("1 a b\n0 a c\n")
    command.main([str(folder)])
    assert path.read_text() == "1 a b\n0 a c\n"
    written, kept = capsys.readouterr().out.splitlines()
    assert (written, kept) == (f"{path}: written, 2 target and 3 nontarget trials", f"{path}: kept, 2 trials")


@pytest.mark.parametrize(("of", "most", "message"), [
    ("xxx", "9", "fewer than two speakers.*nontarget.*add utterances or speakers"),
    ("xyz", "9", "no two utterances.*add utterances or speakers"),
    ("xxyy", "1", "1 trials are too few"),
    ([None, None], "9", "has no utt2spk"),
])  # fmt: skip
def test_the_command_names_missing_trials(here, of, most, message):
    folder = data_folder(here, of)
    with pytest.raises(SureError, match=f"{folder}:? {message}"):
        command.main([str(folder), "--most", most])
    assert not (folder / "trials").exists()
