#!/usr/bin/env bash
# L2-ARCTIC: read English of 24 speakers with six other first languages; phones of the aligner, or as annotators heard
# them. Give your copy:
#
#   ./run.sh --corpus DIR --petl "linear_probe bottleneck prefix lora conv_adapter full" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task phoneme "phoneme"
option phones forced "forced: what should be said, of all utterances; perceived: what was heard, of those annotated"
parse_options "$@"
one_of task phoneme
one_of phones forced perceived

lang=en dataset=phoneme_$phones
prepare_options=(phones="$phones")
. "$root/utils/pipelines/ctc.sh"
run_stages
