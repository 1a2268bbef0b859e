#!/bin/bash
# pgbench against Damask and PostgreSQL in one run: rates, failures, whether the books balance, server CPU a transaction.
#
# usage: run.sh DAMASK_PORT DAMASK_PID POSTGRES_PORT POSTGRES_PID [SCALE] [SECONDS] [CLIENTS]
#
# Both servers listen on 127.0.0.1, user and database postgres. A PID is the server's (PostgreSQL: the postmaster's); the CPU of
# its children is counted too.
set -euo pipefail
damask=$1 damask_pid=$2 postgres=$3 postgres_pid=$4
scale=${5:-10} seconds=${6:-20} clients=${7:-4}
export PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=postgres

cpu() { # user and system time of a process tree, in milliseconds
    local total=0 pid ticks
    for pid in "$1" $(pgrep -P "$1" || true); do
        ticks=$(awk '{print $14+$15}' "/proc/$pid/stat" 2>/dev/null || echo 0)
        total=$((total + ticks * 10))
    done
    # Backends that have ended are in their parent's account.
    ticks=$(awk '{print $16+$17}' "/proc/$1/stat")
    echo $((total + ticks * 10))
}

for port in "$damask" "$postgres"; do pgbench -p "$port" -i -s "$scale" -q >/dev/null 2>&1; done
printf '%-22s %-9s %10s %8s %14s\n' case server tps failed 'CPU us/txn'
for mode in simple extended prepared; do
    for kind in tpcb select; do
        flag=; [ "$kind" = select ] && flag=-S
        for server in damask postgres; do
            port=${!server} pid_name=${server}_pid
            before=$(cpu "${!pid_name}")
            out=$(pgbench -p "$port" -n -M "$mode" $flag -c "$clients" -j 2 -T "$seconds" 2>&1)
            after=$(cpu "${!pid_name}")
            tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$out")
            count=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$out")
            failed=$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' <<<"$out")
            printf '%-22s %-9s %10.0f %8s %14.1f\n' "$kind $mode c$clients" "$server" "${tps:-0}" "${failed:-?}" \
                "$(awk -v a="$after" -v b="$before" -v n="${count:-1}" 'BEGIN { print (a - b) * 1000 / n }')"
        done
    done
done
for port in "$damask" "$postgres"; do
    psql -p "$port" -Atc "SELECT 'port $port: ' || CASE WHEN (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
        AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history)
        AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)
        THEN 'the books balance' ELSE 'THE BOOKS DO NOT BALANCE' END"
done
