#!/bin/sh
# The whole system on a simulated market: train, predict day by day, let the target days pass, verify, learn, look.
set -eu
cd "$(dirname "$0")/.."
home=${1:-demo}
rm -rf "$home"
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

say "1. Train the models on two years of a simulated market, as on 2 March 2026"
run ./train_models.py --source sample --home "$home" --as-of 2026-03-02

say "2. Predict after each close for three weeks; what has come due is verified first, and learned from"
run ./realtime_predictor.py --source sample --home "$home" --as-of 2026-03-02
for day in 03 04 05 06 09 10 11 12 13 16 17 18 19; do
    ./realtime_predictor.py --source sample --home "$home" --as-of "2026-03-$day" --quiet
done
run ./realtime_predictor.py --source sample --home "$home" --as-of 2026-03-20

say "3. Let the last target days pass, and verify"
run ./realtime_predictor.py --source sample --home "$home" --as-of 2026-03-30 --verify-only

say "4. Why does it expect what it expects?"
run ./realtime_predictor.py --source sample --home "$home" --as-of 2026-03-30 --explain SIM-ALPHA --dry-run

say "Everything it wrote lies in $home/. $(wc -l <"$home/realtime_predictions/predictions.jsonl") predictions in the log, each one line for its whole life:"
head -n 1 "$home/realtime_predictions/predictions.jsonl"
