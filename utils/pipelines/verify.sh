# shellcheck shell=bash
# Speaker verification: stage 2 makes the list of utterance pairs to compare (`trials`) for sets whose corpus has none, and
# stage 3 lists the speakers of the training set. The recipe sets the variables of common.sh.
target=utt2spk
overrides=()

after_prepare() {
  local part
  local -a folders=()
  for part in dev "${test_sets[@]}"; do
    folders+=("$data/$part")
    inputs+=("$data/$part/wav.scp" "$data/$part/utt2spk")
    outputs+=("$data/$part/trials")
  done
  step data "$dataset.trials" python -m sure.bin.trials "${folders[@]}"
}

. "$root/utils/pipelines/common.sh"
