#!/bin/sh
# Installs tagsight as a service, or takes it away again. Running it twice changes nothing the second time.
set -eu

usage() {
    cat <<'TEXT'
Usage: install.sh [--prefix DIR] [--root DIR] [--no-venv] [--dry-run]
       install.sh --keys [--root DIR] [--dry-run]
       install.sh --uninstall [--purge] [--root DIR] [--dry-run]

  --prefix DIR   where the program lives (default /opt/tagsight): a Python virtual environment
  --root DIR     install under this folder instead of /, for images and tests; nothing is started
  --no-venv      the program is at PREFIX already: install only the service's files
  --keys         only hand the files of /etc/tagsight/keys over to the service anew, after adding one
  --dry-run      say what would be done, change nothing
  --uninstall    stop the service and remove its files; config and data stay
  --purge        with --uninstall: remove config and data too

Example: sudo ./systemd/install.sh
TEXT
}

fail() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
source_dir=$(dirname -- "$here")
prefix=/opt/tagsight root='' venv=yes dry=no uninstall=no purge=no keys_only=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --root)
            [ $# -ge 2 ] || fail "$1 needs a folder" 2
            case $2 in /*) ;; *) fail "$1 $2: an absolute path is right" 2 ;; esac
            case $2 in *[!A-Za-z0-9_./-]*) fail "$1 $2: letters, digits and _ . / - only" 2 ;; esac
            if [ "$1" = --prefix ]; then prefix=${2%/}; else root=${2%/}; fi
            shift
            ;;
        --no-venv) venv=no ;;
        --keys) keys_only=yes ;;
        --dry-run) dry=yes ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option $1" 2 ;;
    esac
    shift
done
[ -n "$prefix" ] || fail "--prefix must not be the root folder" 2
[ "$purge" = no ] || [ "$uninstall" = yes ] || fail "--purge goes with --uninstall" 2
if [ -z "$root" ] && [ "$dry" = no ] && [ "$(id -u)" != 0 ]; then
    fail "root is needed to install a service; run it with sudo, or look first with --dry-run"
fi

units=$root/etc/systemd/system
sysusers=$root/etc/sysusers.d/tagsight.conf
tmpfiles=$root/etc/tmpfiles.d/tagsight.conf
rules=$root/etc/udev/rules.d/70-tagsight.rules
config=$root/etc/tagsight/store.yaml
keys=$root/etc/tagsight/keys
credentials=$units/tagsight.service.d/keys.conf
services='tagsight.service tagsight-engines.service'

# Runs a command, or says it with --dry-run.
act() {
    if [ "$dry" = yes ]; then
        echo "would run: $*"
    else
        "$@"
    fi
}

# Puts standard input into a file, unless the file says that already.
put() {
    new=$(cat; echo .)
    if [ -f "$1" ] && [ "$(cat "$1"; echo .)" = "$new" ]; then
        echo "unchanged: $1"
    elif [ "$dry" = yes ]; then
        echo "would write: $1"
    else
        mkdir -p "$(dirname -- "$1")"
        printf '%s' "${new%.}" >"$1.new"
        chmod "${2:-644}" "$1.new"
        mv -f "$1.new" "$1"
        echo "written: $1"
    fi
}

# Is there a systemd to talk to, and are we meant to?
booted() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

install_program() {
    python=''
    for candidate in python3.13 python3.12 python3.11 python3.10 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || fail "no Python 3.10 to 3.13 with venv; install the package python3-venv"
    # On a Jetson, TensorRT comes with the system and is seen through its site-packages.
    shared=''
    if [ -f /etc/nv_tegra_release ]; then shared=--system-site-packages; fi
    [ -x "$root$prefix/bin/python" ] || act "$python" -m venv $shared "$root$prefix"
    act "$root$prefix/bin/python" -m pip install --quiet "$source_dir"
    act touch "$root$prefix/installed-by-tagsight"
}

# systemd reads what lies in /etc/tagsight/keys as root and hands it to the daemon alone (systemd.exec(5), CREDENTIALS).
install_credentials() {
    names=''
    for file in "$keys"/*; do
        [ -f "$file" ] || continue
        name=${file##*/}
        case $name in
            *[!A-Za-z0-9_.-]*) echo "not handed over: $file (letters, digits and _ . - only)" ;;
            *) names="$names $name" ;;
        esac
    done
    if [ -n "$names" ]; then
        {
            echo '[Service]'
            for name in $names; do echo "LoadCredential=$name:/etc/tagsight/keys/$name"; done
        } | put "$credentials"
    elif [ -e "$credentials" ]; then
        act rm -f "$credentials"
    fi
    if booted; then act systemctl daemon-reload; fi
}

install_service() {
    for service in $services; do
        sed "s|/opt/tagsight/|$prefix/|g" "$here/$service" | put "$units/$service"
    done
    put "$sysusers" <"$here/tagsight.sysusers.conf"
    put "$tmpfiles" <"$here/tagsight.tmpfiles.conf"
    put "$rules" <"$here/70-tagsight.rules"
    if [ -f "$config" ]; then
        echo "kept: $config"
    else
        sed 's|^state_dir:.*|state_dir: /var/lib/tagsight|' "$source_dir/runtime/config/example.yaml" | put "$config" 640
    fi
    if booted; then
        act systemd-sysusers "$sysusers"
        act systemd-tmpfiles --create "$tmpfiles"
        act udevadm control --reload
        act udevadm trigger --subsystem-match=video4linux --subsystem-match=media
    fi
    install_credentials
}

remove() {
    if booted; then
        # shellcheck disable=SC2086  # one word a service is meant
        act systemctl disable --now $services || echo "it was not running"
    fi
    for file in "$units/tagsight.service" "$units/tagsight-engines.service" "$credentials" "$sysusers" "$tmpfiles" "$rules"; do
        if [ -e "$file" ]; then act rm -f "$file"; else echo "not there: $file"; fi
    done
    if [ -d "${credentials%/*}" ]; then act rmdir "${credentials%/*}" || echo "kept: ${credentials%/*} (not ours alone)"; fi
    if [ "$venv" = yes ] && [ -f "$root$prefix/installed-by-tagsight" ]; then act rm -rf "$root$prefix"; fi
    if [ "$purge" = yes ]; then
        act rm -rf "$root/etc/tagsight" "$root/var/lib/tagsight" "$root/var/cache/tagsight"
    else
        echo "kept: $root/etc/tagsight and $root/var/lib/tagsight (--purge removes them)"
    fi
    if booted; then act systemctl daemon-reload; fi
}

if [ "$uninstall" = yes ]; then
    remove
    exit 0
fi
if [ "$keys_only" = yes ]; then
    install_credentials
    exit 0
fi
if [ "$venv" = yes ]; then install_program; fi
install_service
cat <<TEXT

Next: edit /etc/tagsight/store.yaml, then
  $prefix/bin/tagsight config check /etc/tagsight/store.yaml
  $prefix/bin/tagsight doctor --config /etc/tagsight/store.yaml
  systemctl enable --now tagsight          # the engines of this machine's GPU, if it has one, are built first
TEXT
