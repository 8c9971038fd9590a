#!/usr/bin/env bash
# Audio SNIPS: commands to a voice assistant with labelled slots, spoken by 16 voices of Amazon Polly.
#
#   ./run.sh --petl "conv_adapter lora" --speakers superb
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task slots "slots"
option speakers all "all: every voice in every set, as in SURE; superb: different voices in each set, as in SUPERB"
parse_options "$@"
one_of task slots
one_of speakers all superb

lang=en
dataset=slots_$speakers
prepare_options=(speakers="$speakers")
. "$root/utils/pipelines/ctc.sh"
run_stages
