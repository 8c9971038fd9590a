#!/usr/bin/env bash
# The SURE benchmark: rows of egs/recipes.csv whose corpus is there, each with every method and seed, and at the end one
# table and picture over all of them. Options that are not about the choice of rows go to every recipe.
#
#   ./run.sh --suite sure --corpora corpora.yaml --nj 2
. "$(dirname "${BASH_SOURCE[0]}")/../../utils/recipe.sh"
. "$root/utils/suite.sh"

option petl "full bottleneck prefix lora conv_adapter" "methods to compare: files of sure/petl"
option seeds "1 2 3" "seeds; every method is trained with each"
parse_options "$@"
run_suite
