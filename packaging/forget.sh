#!/bin/sh
# Deletes MastoWatch's keys in Redis, and only these, where the `mastowatch forget` of an installed package is gone: with
# nothing but sh, redis-cli and forget.lua (beside this file, or in $FORGET_LUA). For postrm's purge: whatever happens it
# says what, and ends with status 0.
#
#   forget.sh [--count] [--force] [--env FILE] [--password-file FILE]
#
#   --count          only tell what would be deleted
#   --force          also while processes of MastoWatch run, or with a layout that this version does not know
#   --env            settings, instead of /etc/mastowatch/mastowatch.env; dpkg deletes conffiles before `postrm purge`
#   --password-file  Redis' password, where REDIS_PASSWORD_FILE names none and REDIS_URL holds none; instead of
#                    /etc/mastowatch/credentials/redis_password
#
# Where REDIS_SENTINELS is set, the first of them that answers is asked for the primary; their password is read from
# REDIS_SENTINEL_PASSWORD_FILE, or from redis_sentinel_password beside --password-file.
#
# A password goes to redis-cli through its environment, which only root can read, never through its arguments.
set -u
export LC_ALL=C

# The newest layout that forget.lua knows: mastowatch/adapters/redis_layout.py
KNOWN_LAYOUT=1
# Processes that were killed are shown for some seconds more: so often, a second apart, they are looked for again.
PATIENCE=${FORGET_PATIENCE:-25}
# No answer of Redis may take longer.
TIMEOUT=10

lua=${FORGET_LUA:-$(dirname "$0")/forget.lua}
env_file=/etc/mastowatch/mastowatch.env
password_file=/etc/mastowatch/credentials/redis_password
mode=delete force=no
nl='
'

say() {
    printf 'mastowatch: %s\n' "$1"
}

give_up() {
    say "the keys in Redis were left as they are: $1" >&2
    exit 0
}

strip() { # TEXT: without blanks around it
    text=${1#"${1%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

unquote() { # VALUE: as systemd's EnvironmentFile= has it
    case $1 in
    \"*\" | \'*\')
        inner=${1#?}
        # A quote alone is no pair.
        [ -n "$inner" ] || { printf '%s' "$1"; return; }
        inner=${inner%?}
        case $1 in
        \"*) printf '%s' "$inner" | sed 's/\\"/"/g' ;;
        *) printf '%s' "$inner" ;;
        esac
        ;;
    *) printf '%s' "$1" ;;
    esac
}

setting() { # NAME: its value in the settings file, the last one if there are more; like mastowatch/config/envfile.py
    [ -r "$env_file" ] || return 0
    carried='' value=''
    while IFS= read -r line || [ -n "$line" ]; do
        if [ -z "$carried" ]; then
            case $(strip "$line") in
            '' | \#* | \;*) continue ;;
            esac
        fi
        case $line in
        *\\) carried=$carried${line%?} && continue ;;
        esac
        line=$carried$line carried=''
        [ "$(strip "${line%%=*}")" != "$1" ] || value=$(unquote "$(strip "${line#*=}")")
    done <"$env_file"
    printf '%s' "$value"
}

decode() { # TEXT with %XX in it
    printf '%s\n' "$1" | awk '
        function digit(c) { return index("0123456789abcdef", tolower(c)) - 1 }
        { while (match($0, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
              printf "%s%c", substr($0, 1, RSTART - 1), digit(substr($0, RSTART + 1, 1)) * 16 + digit(substr($0, RSTART + 2, 1))
              $0 = substr($0, RSTART + 3) }
          printf "%s", $0 }'
}

option() { # NAME: its first value in the URL's query
    printf '%s\n' "$query" | tr '&' '\n' | sed -n "s/^$1=//p" | head -n 1
}

# Reads REDIS_URL, see https://redis-py.readthedocs.io/, redis.from_url: the same in Python is redis_url in settings.py
read_url() { # URL
    scheme=${1%%://*} rest=${1#*://} query='' user='' password='' path=''
    case $rest in
    *\?*) query=${rest#*\?} rest=${rest%%\?*} ;;
    esac
    case $rest in
    */*) path=/${rest#*/} ;;
    esac
    authority=${rest%%/*}
    case $authority in
    *@*)
        user=${authority%@*} authority=${authority##*@}
        case $user in
        *:*) password=$(decode "${user#*:}") user=${user%%:*} ;;
        esac
        user=$(decode "$user")
        ;;
    esac
    host=${authority:-localhost} port=6379
    case $authority in
    \[*\]:*) port=${authority##*:} host=${authority%:*} ;;
    \[*\]) ;;
    *:*) port=${authority##*:} host=${authority%:*} ;;
    esac
    host=${host#\[} host=${host%\]}
    database=$(option db)
    [ "$scheme" = unix ] || [ -n "$database" ] || database=${path#/}
    database=${database:-0}
    path=$(decode "$path")
}

find_password() { # into $password
    named=$(setting REDIS_PASSWORD_FILE)
    named=${named:-$password_file}
    [ -n "$password" ] || [ ! -s "$named" ] || password=$(strip "$(cat "$named")")
}

redis() { # ARGUMENTS of forget.lua
    set -- -n "$database" --eval "$lua" , "$@"
    [ -z "$user" ] || set -- --user "$user" "$@"
    ask "$password" "$@"
}

ask() { # PASSWORD, ARGUMENTS of redis-cli: of the Redis or the sentinel at $host and $port
    secret=$1
    shift
    case $scheme in
    unix) set -- -s "$path" "$@" ;;
    rediss)
        set -- -h "$host" -p "$port" --tls "$@"
        [ -z "$ca_file" ] || set -- --cacert "$ca_file" "$@"
        [ "$(option ssl_cert_reqs)" != none ] || set -- --insecure "$@"
        [ -z "$(option ssl_ca_certs)" ] || set -- --cacert "$(decode "$(option ssl_ca_certs)")" "$@"
        [ -z "$(option ssl_ca_path)" ] || set -- --cacertdir "$(decode "$(option ssl_ca_path)")" "$@"
        [ -z "$(option ssl_certfile)" ] || set -- --cert "$(decode "$(option ssl_certfile)")" "$@"
        [ -z "$(option ssl_keyfile)" ] || set -- --key "$(decode "$(option ssl_keyfile)")" "$@"
        ;;
    *) set -- -h "$host" -p "$port" "$@" ;;
    esac
    if [ -n "$secret" ]; then
        REDISCLI_AUTH=$secret timeout "$TIMEOUT" redis-cli "$@" 2>&1
    else
        timeout "$TIMEOUT" redis-cli "$@" 2>&1
    fi
}

follow_sentinels() { # where there are any: $host and $port of the primary that they know
    sentinels=$(setting REDIS_SENTINELS | tr ',' ' ') told=''
    [ -n "$(strip "$sentinels")" ] || return 0
    name=$(setting REDIS_SENTINEL_MASTER) named=$(setting REDIS_SENTINEL_PASSWORD_FILE) sentinel_password=''
    named=${named:-$(dirname "$password_file")/redis_sentinel_password}
    [ ! -s "$named" ] || sentinel_password=$(strip "$(cat "$named")")
    for one in $sentinels; do
        host=${one%:*} port=${one##*:}
        host=${host#\[} host=${host%\]}
        told=$(ask "$sentinel_password" SENTINEL GET-MASTER-ADDR-BY-NAME "${name:-mymaster}")
        case $told in
        *"$nl"*[!0-9]*) ;;
        *"$nl"*) host=${told%%"$nl"*} port=${told#*"$nl"} authority=$host:$port && return 0 ;;
        esac
    done
    give_up "no sentinel of $sentinels knows where ${name:-mymaster} is: ${told:-no answer within $TIMEOUT s}"
}

alive() { # the processes that live, a line each; gives up where Redis does not answer or may not be touched
    answer=$(redis ask) || give_up "$scheme://${authority:-$path}: ${answer:-no answer within $TIMEOUT s}"
    layout=${answer%%"$nl"*} running=''
    case $answer in
    *"$nl"*) running=${answer#*"$nl"} ;;
    esac
    case $layout in
    'layout '*) layout=${layout#layout } ;;
    *) give_up "$answer" ;; # what Redis refused with
    esac
    is_known "$layout" || [ "$force" = yes ] ||
        give_up "they have layout $layout, and this version knows $KNOWN_LAYOUT; delete them with the newer version"
}

is_known() { # LAYOUT, or nothing
    case $1 in
    *[!0-9]*) return 1 ;;
    esac
    [ "${1:-0}" -le "$KNOWN_LAYOUT" ]
}

wait_until_none_lives() {
    patience=$PATIENCE
    alive
    while [ "$force" = no ] && [ -n "$running" ]; do
        [ "$patience" -gt 0 ] || give_up "processes of MastoWatch run:$nl$running"
        patience=$((patience - 1))
        sleep 1
        alive
    done
}

walk() { # MODE: all steps; into $counts, two lines each
    place=begin counts=''
    while [ "$place" != end ]; do
        answer=$(redis "$1" "$place" 1000) || give_up "${answer:-no answer within $TIMEOUT s}"
        place=${answer%%"$nl"*}
        case $place in
        'trim '* | names | 'keys '* | layout | end) ;;
        *) give_up "$answer" ;;
        esac
        [ "$place" = "$answer" ] || counts=$counts${answer#*"$nl"}$nl
    done
}

tell() { # WHAT WAS DONE: how many of each kind
    total=$(printf '%s' "$counts" | awk '
        NR % 2 { kind = $0; next }
        { number[kind] += $0; sum += $0 }
        END { for (kind in number) printf ", %d %s", number[kind], kind; if (!sum) printf ", nothing" }')
    say "in Redis $1: ${total#, }"
}

while [ $# -gt 0 ]; do
    case $1 in
    --count) mode=count ;;
    --force) force=yes ;;
    --env) env_file=${2-} && shift ;;
    --password-file) password_file=${2-} && shift ;;
    *) give_up "$1 is no option of $0" ;;
    esac
    shift
done

[ -r "$lua" ] || give_up "$lua can't be read"
command -v redis-cli >/dev/null || give_up "there is no redis-cli; install redis-tools and try again"
url=$(setting REDIS_URL)
read_url "${url:-redis://localhost:6379/1}"
ca_file=$(setting REDIS_CA_FILE)
find_password
follow_sentinels
if [ "$mode" = count ]; then
    alive
    walk count
    tell "would be deleted"
else
    wait_until_none_lives
    walk delete
    tell "deleted"
fi
