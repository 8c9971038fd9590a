#!/usr/bin/env bash
# TIMIT: phones that experts have marked, trained as 61, 48 or 39 and scored as 39. Give your copy:
#
#   ./run.sh --corpus DIR --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task phoneme "phoneme"
option phones 48 "phones to train: 61 as marked, 48 or 39; all are scored as 39"
parse_options "$@"
one_of task phoneme
one_of phones 61 48 39

lang=en dataset=phoneme_$phones
. "$root/utils/pipelines/ctc.sh"
if [[ $phones == 61 ]]; then overrides+=(tokenizer.fold=null); else overrides+=(tokenizer.fold="timit_$phones"); fi
run_stages
