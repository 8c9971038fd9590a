#!/usr/bin/env bash
# Speech Commands: recognition of single words in clips of one second.
#
#   ./run.sh --labels superb --petl "linear_probe conv_adapter lora" --seeds "1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"

option task keyword "keyword"
option labels sure "sure: 11 words; superb: 10 words, unknown and silence; all: every word"
option release v0.02 "v0.02 (as in SURE) or v0.01 (as in SUPERB)"
parse_options "$@"
one_of task keyword
one_of labels sure superb all
one_of release v0.01 v0.02

dataset=keyword_$labels sources=sources.yaml
if [[ $release == v0.01 ]]; then dataset+=_v0.01 sources=sources_v0.01.yaml; fi
prepare_options=(labels="$labels" release="$release")
. "$root/utils/pipelines/classify.sh"
if [[ $labels == superb ]]; then overrides+=(head.class_weights=balanced); fi  # SUPERB samples all labels equally often
run_stages
