#!/usr/bin/env bash
# Three nodes of a cluster on one machine: calls, a stream, a rolling swap, a node that is killed and one that is drained.
# In a clone, after `npm test` or `pnpm build`: bash docs/three-nodes.sh
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
host=$repository/node_modules/.bin/appfactory-host
nats=${NATS_SERVER:-$(command -v nats-server || true)}
if [ ! -x "$nats" ]; then
  echo "There is no NATS server. Install one (apt-get install nats-server, brew install nats-server, or" >&2
  echo "https://github.com/nats-io/nats-server/releases), or name it in NATS_SERVER." >&2
  exit 1
fi
[ -x "$host" ] || { echo "Build first: npm test, or pnpm install && pnpm build" >&2; exit 1; }

# Whatever happens, nothing of this goes on.
work=$(mktemp -d)
end() {
  trap - EXIT
  jobs=$(jobs -p)
  [ -z "$jobs" ] || kill $jobs 2>> "$work/end.log" || true
  wait 2>> "$work/end.log" || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work"

step() { printf '\n# %s\n' "$*"; }
# Waits for a text in a file that PID writes.
until_in() {
  until grep -q "$2" "$1" 2> /dev/null; do
    kill -0 "$3" || { cat "$1" ./*.log >&2; exit 1; }
    sleep 0.05
  done
}

step 'A user for each node, caller and administrator, and the server'
"$host" nats-config --namespace demo --nodes one,two,three --callers web --admins boss | sed '$d'
"$nats" -c nats/nats-server.conf -p -1 2> nats.log &
until_in nats.log 'Server is ready' $!
port=$(sed -n 's/.*client connections on .*:\([0-9]*\)$/\1/p' nats.log)
reach=(--nats "nats://127.0.0.1:$port" --namespace demo)
boss=("${reach[@]}" --creds nats/boss.nkey)
web=("${reach[@]}" --creds nats/web.nkey)

step 'Three nodes'
start() {
  "$host" serve "${reach[@]}" --creds "nats/$1.nkey" --node "$1" --label "$2" --load tts_tone \
    --plugins-dir "$repository/examples/plugins" > "$1.out" 2> "$1.log" &
  printf -v "pid_$1" '%s' $!
}
start one disk=ssd
start two disk=ssd
start three gpu=true
for node in one two three; do
  pid=pid_$node
  until_in "$node.out" ready "${!pid}"
done
"$host" nodes "${boss[@]}" 2> boss.log

step 'A stream, piece by piece'
"$host" call tts_tone synthesize_stream --args '{"text":"One. Two. Three."}' "${web[@]}" 2> web.log

step 'A client in any language calls on, in the background'
client() {
  local id=0
  while [ ! -e enough ]; do
    id=$((id + 1))
    echo '{"jsonrpc":"2.0","id":'$id',"method":"plugin/call","params":{"plugin":"tts_tone","method":"get_voices","retry":2}}'
    sleep 0.02
  done
  echo "$id" > asked
}
client | "$host" "${web[@]}" > answers 2> client.log &
client=$!
until_in answers result "$client"

step 'A swap, node by node: every caller is served meanwhile'
"$host" swap tts_tone "${boss[@]}" 2>> boss.log

step 'A caller may not do that'
"$host" swap tts_tone --json "${web[@]}" 2>> web.log | grep message || true

step 'Node two is killed'
kill -KILL "$pid_two"
wait "$pid_two" 2>> end.log || true

step 'Node three is drained, and ends by itself'
"$host" drain three "${boss[@]}" 2>> boss.log
wait "$pid_three"
"$host" nodes "${boss[@]}" 2>> boss.log

step 'The client is done'
touch enough
wait "$client"
asked=$(cat asked)
answered=$(grep -c '"result"' answers)
[ "$answered" = "$asked" ] || { grep -v '"result"' answers >&2; echo "$answered of $asked were answered" >&2; exit 1; }
echo 'Each call was answered once, and none failed'
