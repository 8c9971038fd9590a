#!/usr/bin/env bash
# TIMIT: recognition of phones labelled by experts, trained as 61, 48 or 39 and scored as 39. Needs your copy of the corpus:
#
#   ./run.sh --corpus DIR --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task phoneme "phoneme"
option phones 48 "number of phones in training: 61 as labelled, 48 or 39; scored as 39"
parse_options "$@"
one_of task phoneme
one_of phones 61 48 39

lang=en dataset=phoneme_$phones
. "$root/utils/pipelines/ctc.sh"
if [[ $phones == 61 ]]; then overrides+=(tokenizer.fold=null); else overrides+=(tokenizer.fold="timit_$phones"); fi
run_stages
