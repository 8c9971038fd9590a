# shellcheck shell=bash
# Speaker verification: stage 3 lists the speakers of the training set, and stage 2 makes the pairs of utterances that are
# compared (`trials`) for the sets whose corpus has no list of its own. The recipe sets what common.sh asks for.
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
