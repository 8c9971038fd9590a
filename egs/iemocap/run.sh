#!/usr/bin/env bash
# IEMOCAP: emotions in dialogues of ten actors, two a session. The corpus is behind a form.
#
#   ./run.sh --corpus DIR                # sessions 1 to 3 train, 4 dev, 5 test
#   ./run.sh --corpus DIR --fold 1       # as in SUPERB: session 1 is the test set, a fifth of the others dev
#   ./run.sh --corpus DIR --classes 11   # all tags unchanged, also without agreement
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task emotion "emotion"
option classes 4 "4: neutral, happy (with excited), angry, sad; 11: all tags unchanged"
option fold "" "1 to 5: the session of the test set, as in SUPERB's five folds"
option s3prl_lists "" "for a fold: s3prl's folder meta_data, for the same dev set"
parse_options "$@"
one_of task emotion
one_of classes 4 11
one_of fold "" 1 2 3 4 5

dataset=${task}_$classes${fold:+_fold$fold}
prepare_options=(task="$task" classes="$classes" fold="$fold" lists="$(from_caller "$s3prl_lists")")
. "$root/utils/pipelines/classify.sh"
run_stages
