# Keeps a throw-away PostgreSQL: makes one in a folder, and ends it and removes the folder when standard input is at its end.
# That is when whoever started this is gone, in whatever way: done, interrupted, or killed. Runs in a process group of its own.
# Arguments: the folder, the folder of the server's programs, and what to start them with: they refuse to run as root. The folder
# `server` in it is the server's own; what lies beside it is not, so that nobody else may put a link in its place.
trap '' HUP INT QUIT TERM
folder=$1 programs=$2
cd "$folder" || exit 1
shift 2
(
    # Blocks of 512 bytes, KiB: no statement fills the disk or the memory. Where less is allowed already, that holds.
    ulimit -f 524288 2>/dev/null
    ulimit -v 786432 2>/dev/null
    "$@" "$programs/initdb" --auth=trust --username=hub_check --encoding=UTF8 --no-locale --no-sync --pgdata=server/data &&
        [ ! -e ending ] &&
        "$@" "$programs/postgres" -D server/data -k "$folder/server" -p 5432 -c listen_addresses= -c fsync=off \
            -c synchronous_commit=off -c full_page_writes=off -c max_connections=10 -c shared_buffers=16MB -c jit=off \
            -c autovacuum=off -c max_parallel_workers=0 -c temp_file_limit=64MB -c log_min_messages=fatal
    echo "$?" >ended
) >log 2>&1 </dev/null &
read -r _
: >ending
# Said again and again: a program that has just begun does not listen yet.
tries=0
until [ -e ended ] || [ "$tries" -ge 200 ]; do
    kill -s QUIT 0
    sleep 0.05
    tries=$((tries + 1))
done
cd / && rm -rf "$folder"
[ "$tries" -lt 200 ] || kill -s KILL 0
