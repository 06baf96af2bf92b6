#!/bin/sh
# Runs one PostgreSQL server for the tests: says "ready" when it takes connections, or why it does not.
# When the file DIR/lease has not been touched for a minute or two, it stops the server, removes DIR and ends.
# usage: watch_postgres.sh BIN DIR STATE
set -u
bin=$1 dir=$2 state=$3

trap '' HUP
cd "$dir" || exit 1

# The server refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

stop_server() {
    as_owner "$bin/pg_ctl" stop -m immediate -D "$dir/data"
    cd / && rm -rf "$dir"
}

# A server that a test restarts is away for a moment.
is_up() {
    [ -e "$dir/restarting" ] || as_owner "$bin/pg_ctl" status -D "$dir/data" ||
        { sleep 1 && { [ -e "$dir/restarting" ] || as_owner "$bin/pg_ctl" status -D "$dir/data"; }; }
}

is_idle() {
    [ ! -e "$dir/lease" ] || [ -n "$(find "$dir/lease" -mmin +10)" ]
}

if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
settings="-c listen_addresses='' -c unix_socket_directories='$dir' -c max_connections=200
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c wal_level=minimal -c max_wal_senders=0
    -c shared_buffers=64MB -c jit=off -c timezone=UTC"
if ! {
    as_owner "$bin/initdb" --no-sync --encoding=UTF8 --locale=C.UTF-8 --auth=trust --username=postgres --pgdata="$dir/data" &&
        as_owner "$bin/pg_ctl" start --wait --pgdata="$dir/data" --log="$dir/data/server.log" --options="$settings"
} >"$dir/start.log" 2>&1; then
    cat "$dir/start.log" "$dir/data/server.log" 2>&1
    stop_server >/dev/null 2>&1
    exit 1
fi
echo ready
exec >/dev/null 2>&1

while [ -e "$dir/lease" ] && is_up; do
    sleep 5
    is_idle || continue
    # Nobody may find the server from here on; whoever found it just before has touched the lease by now.
    if [ "$(cat "$state")" = "$dir" ]; then rm -f "$state"; fi
    sleep 2
    if is_idle; then break; fi
    [ -e "$state" ] || printf %s "$dir" >"$state"
done
stop_server
