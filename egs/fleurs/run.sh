#!/usr/bin/env bash
# FLEURS: the same sentences read aloud in 102 languages, about ten hours of each. Speech recognition in one of them.
#
#   ./run.sh --lang fr_fr --petl "conv_adapter lora"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr"
option lang en_us "language, one of the names in languages.txt"
option on_bad_utterance skip "unusable utterances: skip or stop; some recordings are cut off"
parse_options "$@"
one_of task asr
read -rd '' -a languages <languages.txt || true
one_of lang "${languages[@]}"

dataset=asr_$lang
source_options=(lang="$lang")
prepare_options=(lang="$lang")
. "$root/utils/pipelines/ctc.sh"
run_stages
