#!/usr/bin/env bash
# The main job from start to end, on examples/mailboxes.yaml, in a temporary folder with a database
# of its own: validate, plan, apply, an empty second plan, list, and a delete that is refused.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Print a command, run it, and end the demo unless it exits with the code given first.
run() {
    local expected=$1 code=0
    shift
    printf '\n$ %s\n' "$*"
    "$@" || code=$?
    if [[ $code -ne $expected ]]; then
        printf 'demo: exit code %s, expected %s\n' "$code" "$expected" >&2
        exit 1
    fi
    [[ $code -eq 0 ]] || printf '(exit code %s, as it should be)\n' "$code"
}

say() {
    printf '\n# %s\n' "$*"
}

if ! command -v reconciler >/dev/null; then
    echo 'demo: the command "reconciler" is not installed; "make demo" does that first' >&2
    exit 1
fi
# What the machine is set up for is another database.
for name in "${!RECONCILER_@}"; do unset "$name"; done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cp "$here/mailboxes.yaml" .
echo 'database = "sqlite:///demo.db"' >reconciler.toml

say 'One file declares two companies and two mail servers. Is it right?'
run 0 reconciler validate mailboxes.yaml

say 'What would change in the database? Keep the plan, for somebody to review.'
run 0 reconciler plan mailboxes.yaml -o plan.json

say 'Apply what was reviewed, in one transaction.'
run 0 reconciler apply plan.json --auto-approve

say 'Now the database is as declared: a second plan is empty.'
run 0 reconciler plan mailboxes.yaml --detailed-exitcode

run 0 reconciler list

say 'Take the mail server nfe-in out of the file. A company is still linked to it: refused.'
sed '/^  nfe-in:/,$d' mailboxes.yaml >shorter.yaml
mv shorter.yaml mailboxes.yaml
run 3 reconciler plan mailboxes.yaml

printf '\nThe demo has ended as it should. Its folder and database are gone again.\n'
