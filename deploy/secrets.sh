#!/bin/sh
# Make every secret of a deployment once: `sh deploy/secrets.sh [--pgbouncer] HOST`, for docker-compose.yml as it is, or
# as a starting point for `kubectl create secret generic mikrobot --from-file=.local/deploy` after editing the addresses.
# Nothing that exists is overwritten. The directory is closed (0700); the files inside are not (0644), because Compose
# hands them to containers that run as other users.
set -eu

database=postgres:5432
if [ "${1:-}" = "--pgbouncer" ]; then
    database=pgbouncer:6432
    shift
fi
host=${1:?the public host name, such as mikrobot.example.com}
cd "$(dirname "$0")/.."
mkdir -p .local/deploy
chmod 0700 .local/deploy
cd .local/deploy
umask 022

put() { # NAME VALUE
    if [ -e "$1" ]; then
        echo "kept   .local/deploy/$1"
    else
        printf '%s\n' "$2" > "$1"
        echo "made   .local/deploy/$1"
    fi
}
random() { openssl rand -hex 32; }

put postgres_password "$(random)"
put redis_password "$(random)"
put secret_key "$(random)$(random)"
put metrics_token "$(random)"
put master_keys "$(openssl rand -base64 32 | tr '+/' '-_')"
put database_url "postgresql://mikrobot_app:$(random)@$database/mikrobot"
put database_engine_url "postgresql://mikrobot_engine:$(random)@$database/mikrobot"
# Migrations and roles go past PgBouncer.
put database_owner_url "postgresql://mikrobot_owner:$(random)@postgres:5432/mikrobot"
put database_admin_url "postgresql://postgres:$(cat postgres_password)@postgres:5432/postgres"
put redis_url "redis://:$(cat redis_password)@redis:6379"
password() { sed 's|^[^:]*://[^:]*:\([^@]*\)@.*|\1|' "$1"; }
put pgbouncer_users "\"mikrobot_app\" \"$(password database_url)\"
\"mikrobot_engine\" \"$(password database_engine_url)\""
for file in tls.crt tls.key; do
    [ -e "$file" ] || echo "needed .local/deploy/$file (the certificate chain and key of $host, PEM)"
done
