#!/usr/bin/env bash
# Fish Fillets: acted dialogues of a game in Czech and Dutch. Without options: Czech speech recognition with an encoder
# that was trained on English.
#
#   ./run.sh --task speaker --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task asr "asr, or speaker: one of the two fish"
option lang cs "cs, nl or all"
parse_options "$@"
one_of task asr speaker
one_of lang cs nl all

dataset=${task}_$lang
prepare_options=(task="$task" lang="$lang")
case $task in
  asr) . "$root/utils/pipelines/ctc.sh" ;;
  speaker) . "$root/utils/pipelines/classify.sh" ;;
esac
run_stages
