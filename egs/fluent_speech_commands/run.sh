#!/usr/bin/env bash
# Fluent Speech Commands: spoken commands to a smart home, with three slots: action, object and location.
#
#   ./run.sh --corpus DIR --petl "linear_probe conv_adapter lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task intent "intent"
option labels slots "slots: separate classifiers for action, object and location; joint: one for their 31 combinations"
parse_options "$@"
one_of task intent
one_of labels slots joint

dataset=intent_$labels
prepare_options=(labels="$labels")
. "$root/utils/pipelines/classify.sh"
run_stages
