#!/bin/bash
# How long a restart after SIGKILL takes, by size of the log: pgbench writes with checkpoints held off, the server is killed,
# and the time until the next one answers is printed.
#
# usage: restart.sh DAMASK FOLDER PORT [SCALE] [LOG_MIB] [POOL]
#
# DAMASK is the program; FOLDER is for the database, which is removed. POOL is shared_buffers.
set -euo pipefail
damask=$1 folder=$2 port=$3 scale=${4:-10} log_mib=${5:-256} pool=${6:-256MB}
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres
file=$folder/restart.damask
rm -rf "$file" "$file".*

start() {
    "$damask" serve "$file" --listen "127.0.0.1:$port" -c "shared_buffers=$pool" -c max_wal_size=1TB -c checkpoint_timeout=1d >/dev/null &
    pid=$!
    until psql -Atc 'SELECT 1' >/dev/null 2>&1; do sleep 0.02; done
}

start
pgbench -i -s "$scale" -q >/dev/null 2>&1
psql -qc CHECKPOINT
written() { psql -Atc 'SELECT wal_bytes::int8 / 1048576 FROM pg_stat_wal'; }
base=$(written)
while [ $(($(written) - base)) -lt "$log_mib" ]; do
    PGOPTIONS='-c synchronous_commit=off' pgbench -n -M prepared -c 4 -j 2 -T 5 >/dev/null 2>&1
done
before=$(psql -Atc 'SELECT count(*), sum(delta) FROM pgbench_history')
log=$(($(written) - base))
kill -9 $pid; wait $pid 2>/dev/null || true
# What is asynchronous may be lost; the log's pages are in the system's memory as after a crash of the server alone.
began=$(date +%s.%N)
start
ended=$(date +%s.%N)
cpu=$(awk '{print ($14+$15)/100}' /proc/$pid/stat)
after=$(psql -Atc 'SELECT count(*), sum(delta) FROM pgbench_history')
echo "scale $scale, pool $pool, log $log MiB; history $before before, $after after"
awk -v a="$began" -v b="$ended" -v c="$cpu" 'BEGIN { printf "restart %.2f s, CPU %.2f s\n", b - a, c }'
kill $pid; wait $pid || true
