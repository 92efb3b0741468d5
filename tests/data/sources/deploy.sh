#!/usr/bin/env bash
# Deploys a service (start, stop, status).
set -euo pipefail

readonly NAME="${1:-web}"
readonly FOLDER="/srv/${NAME}"
log() {
  printf '%s) %s\n' "$(date +%H:%M)" "$*" >&2
}

usage() {
  cat <<TEXT
usage: deploy NAME start|stop|status [--force]
  a) start it
  b) stop it
TEXT
  exit 2
}

start() {
  if [[ ! -d "$FOLDER" ]]; then
    log "no folder: $FOLDER (create it)"
    return 1
  elif pgrep -f "$NAME" >/dev/null; then
    log 'it runs already :)'
  else
    (cd "$FOLDER" && nohup ./run "$@" &)
  fi
}

stop() {
  local pid
  for pid in $(pgrep -f "$NAME"); do
    kill "$pid" || true
    while kill -0 "$pid" 2>/dev/null; do
      sleep 1
    done
  done
}

status() {
  local count=0
  while read -r line; do
    count=$((count + 1))
    echo "${line%%)*}"
  done < <(ps aux | grep -v grep | grep "$NAME" | awk '{ print $2 ")" }')
  [[ $count -gt 0 ]]
}

main() {
  local force=""
  shift || usage
  case "${1:-}" in
    start)
      shift
      start "$@"
      ;;
    stop) stop ;;
    restart|reload)
      stop
      start
      ;;
    status)
      status || log "it is down"
      ;;
    --force|-f)
      force="yes"
      log "force is ${force}"
      ;;
    *)
      usage
      ;;
  esac
}

main "$@"
