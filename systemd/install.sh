#!/bin/sh
# Installs tagsight as a service, or takes it away again. Running it twice changes nothing the second time.
set -eu

usage() {
    cat <<'TEXT'
Usage: install.sh [--prefix DIR] [--root DIR] [--no-venv] [--dry-run]
       install.sh --rollback [--prefix DIR] [--root DIR] [--dry-run]
       install.sh --keys [--root DIR] [--dry-run]
       install.sh --uninstall [--purge] [--root DIR] [--dry-run]

  --prefix DIR   where the program lives (default /opt/tagsight): DIR/versions has a Python virtual environment for
                 each version, DIR/current leads to the one in use, DIR/previous to the one before
  --root DIR     install under this folder instead of /, for images and tests; nothing is started
  --no-venv      the program is at PREFIX already: install only the service's files
  --program      install only the program, not the service's files
  --wheels DIR   take the program, and what it needs where DIR has it, from the wheels in DIR
  --fresh        make a new environment although this version has one
  --rollback     go back to the version before the last upgrade; --rollback again goes forward
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
prefix=/opt/tagsight root='' venv=yes service=yes wheels='' fresh=no
rollback=no dry=no uninstall=no purge=no keys_only=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --root | --wheels)
            [ $# -ge 2 ] || fail "$1 needs a folder" 2
            case $2 in /*) ;; *) fail "$1 $2: an absolute path is right" 2 ;; esac
            case $2 in *[!A-Za-z0-9_./-]*) fail "$1 $2: letters, digits and _ . / - only" 2 ;; esac
            case $1 in
                --prefix) prefix=${2%/} ;;
                --root) root=${2%/} ;;
                *) wheels=${2%/} ;;
            esac
            shift
            ;;
        --no-venv) venv=no ;;
        --program) service=no ;;
        --fresh) fresh=yes ;;
        --rollback) rollback=yes ;;
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
lock=$here/requirements.lock
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

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3.10 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.10 to 3.13 with venv; install the package python3-venv"
}

# What tells one program from another: its version, and a digest of its files and of all it is locked to.
name_version() {
    if [ -n "$wheels" ]; then
        wheel=$(find "$wheels" -name 'tagsight-*.whl' | sort | tail -n 1)
        [ -n "$wheel" ] || fail "$wheels: no wheel of tagsight in it"
        version=${wheel##*/tagsight-} version=${version%%-*}
        digest=$(cat "$lock" "$wheel" | sha256sum | cut -c1-8)
    else
        wheel=''
        version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$source_dir/pyproject.toml")
        digest=$(cd "$source_dir" && {
            cat "$lock" pyproject.toml
            find tagsight broker contract web engines rfid_reader runtime calibration fleet bench -type f ! -path '*/__pycache__/*' -exec sha256sum {} + | sort
        } | sha256sum | cut -c1-8)
    fi
    environment=$version-$digest
    if [ "$fresh" = yes ]; then environment=$environment-$(date +%Y%m%d%H%M%S); fi
}

# Makes the environment of this version beside the others: everything in it is what the lock file names, by hash.
make_environment() {
    target=$root$prefix/versions/$environment
    if [ -e "$target/complete" ]; then
        echo "unchanged: $prefix/versions/$environment"
        return
    fi
    python=$(find_python)
    # On a Jetson, TensorRT comes with the system and is seen through its site-packages.
    shared=''
    if [ -f /etc/nv_tegra_release ]; then shared=--system-site-packages; fi
    act rm -rf "$target"
    act "$python" -m venv $shared "$target"
    from=''
    if [ -n "$wheels" ]; then
        from="--find-links $wheels"
        if [ -f "$wheels/complete" ]; then from="--no-index $from"; fi
    fi
    # shellcheck disable=SC2086  # several options are meant
    act "$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes $from \
        --requirement "$lock" || give_up "what tagsight needs could not be installed (see above)"
    act "$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-index \
        --no-build-isolation "${wheel:-$source_dir}" || give_up "tagsight itself could not be installed (see above)"
    # An image is made under another root than it will run from.
    if [ -n "$root" ] && [ "$dry" = no ]; then
        find "$target/bin" -type f -exec sed -i "1s|^#!$root|#!|" {} +
    fi
    act touch "$target/complete"
}

# An upgrade that fails leaves the version in use alone.
give_up() {
    rm -rf "$target"
    fail "$1; what was installed before is as it was"
}

# The links that the rest of the system knows stay; only `current` moves, in one step.
use_environment() (
    cd "$root$prefix"
    if [ -d bin ] && [ ! -L bin ]; then
        mkdir -p versions/unlinked
        for part in bin include lib lib64 share pyvenv.cfg; do
            if [ -e "$part" ] || [ -L "$part" ]; then mv "$part" versions/unlinked/; fi
        done
        ln -s versions/unlinked current
    fi
    before=$(readlink current || true)
    if [ "$before" = "versions/$1" ]; then exit 0; fi
    if [ -n "$before" ]; then ln -sfn "$before" previous; fi
    ln -sfn "versions/$1" current.new
    mv -Tf current.new current
    for part in bin lib pyvenv.cfg; do
        if [ ! -L "$part" ]; then ln -s "current/$part" "$part"; fi
    done
    for old in versions/*; do
        case $old in
            "$(readlink current)" | "$(readlink previous || true)") ;;
            *) rm -rf "$old" ;;
        esac
    done
    touch installed-by-tagsight
    echo "in use: $prefix/versions/$1"
)

install_program() {
    name_version
    make_environment
    if [ "$dry" = yes ]; then
        echo "would use: $prefix/versions/$environment"
    else
        use_environment "$environment"
    fi
}

roll_back() {
    [ -L "$root$prefix/previous" ] || fail "$prefix: there is no version before the one in use"
    to=$(readlink "$root$prefix/previous")
    [ -x "$root$prefix/$to/bin/tagsight" ] || fail "$prefix/$to: the version before is not there any more"
    if [ "$dry" = yes ]; then
        echo "would use: $prefix/$to"
        return
    fi
    use_environment "${to#versions/}"
    if booted; then systemctl try-restart tagsight.service; fi
}

# So that `tagsight` can be typed.
link_command() {
    command_link=$root/usr/local/bin/tagsight
    if [ -L "$command_link" ] && [ "$(readlink "$command_link")" = "$prefix/bin/tagsight" ]; then
        echo "unchanged: $command_link"
    elif [ -e "$command_link" ] || [ -L "$command_link" ]; then
        echo "kept: $command_link (not ours); the command is $prefix/bin/tagsight"
    else
        act mkdir -p "$root/usr/local/bin"
        act ln -s "$prefix/bin/tagsight" "$command_link"
    fi
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
    if [ -L "$root/usr/local/bin/tagsight" ] && [ "$(readlink "$root/usr/local/bin/tagsight")" = "$prefix/bin/tagsight" ]; then
        act rm -f "$root/usr/local/bin/tagsight"
    fi
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
if [ "$rollback" = yes ]; then
    roll_back
    exit 0
fi
if [ "$venv" = yes ]; then install_program; fi
if [ "$service" = no ]; then exit 0; fi
link_command
install_service
cat <<TEXT

Next: edit /etc/tagsight/store.yaml, then
  tagsight config check /etc/tagsight/store.yaml
  tagsight doctor --config /etc/tagsight/store.yaml
  systemctl enable --now tagsight          # the engines of this machine's GPU, if it has one, are built first
TEXT
