#!/bin/sh
# Options or a configuration file alone mean the server: `docker-entrypoint.sh /etc/redis/my.conf`.
set -eu
case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
exec "$@"
