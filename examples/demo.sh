#!/usr/bin/env bash
# The main job from start to end, on examples/mailboxes.yaml, in a temporary folder with a database
# of its own: validate, plan, apply, an empty second plan, list, a delete that is refused, and tests of
# mailboxes: one that sends, and one that cannot be read. No network is needed.
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
postbox=
trap '[[ -z $postbox ]] || kill "$postbox"; rm -rf "$folder"' EXIT
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

# A mail server on this machine takes the place of the real ones.
mkfifo ports
"$(command -v python || command -v python3)" "$here/postbox.py" >ports &
postbox=$!
read -r smtp imap <ports
say "Can nfe-out send? Its test message goes to a sink on this machine, port $smtp, and to nobody else."
run 0 reconciler test --server nfe-out --sink "127.0.0.1:$smtp"

say 'Can this mailbox be read? Its server refuses the password: the test says why, and what to do.'
cat >reconciler.toml <<EOF
database = "sqlite:///demo.db"
[probes]
networks = ["127.0.0.1"]
ports = [$imap]
EOF
cat >demo.yaml <<EOF
version: 1
partner: demo
mail_servers:
  xml-in:
    direction: incoming
    nickname: Leitura de XML
    host: 127.0.0.1
    port: $imap
    security: none
    username: xml@demo.example
    password: {env: DEMO_XML_PASSWORD}
EOF
run 0 reconciler apply demo.yaml --auto-approve
export DEMO_XML_PASSWORD=not-the-right-one
run 6 reconciler test --server xml-in
run 0 reconciler list --failed

printf '\nThe demo has ended as it should. Its folder and database are gone again.\n'
