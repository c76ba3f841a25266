#!/usr/bin/env bash
# Fetch Debian or Ubuntu packages without root. Run it with package names: they are unpacked into a folder of the
# cache, whose path is printed (nothing is, where the system has them). Or source it, then:
#
#   fetch_debs TARGET PACKAGE...           packages and whatever of their dependencies this machine lacks,
#                                          unpacked under TARGET (replaced as a whole)
#   fetch_deb_file PACKAGE PATTERN TARGET  the one file of PACKAGE whose path matches PATTERN
#
# The system's package lists are used where they still serve; otherwise the lists are fetched into the cache
# folder, which needs no root either. Nothing outside the cache folder is written.
# Messages go to stderr, so that a caller's stdout stays for its answer.

tagsight_cache="${TAGSIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tagsight}"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# One fetch at a time for a cache folder: a second caller waits, then finds the work done.
lock_cache() {
    mkdir -p "$tagsight_cache/apt" || fail "cannot create the cache folder $tagsight_cache; set TAGSIGHT_CACHE to a folder you may write"
    exec 9> "$tagsight_cache/.lock"
    if command -v flock > /dev/null; then flock 9; fi
}

# A scratch folder below the cache, gone when the script ends.
make_work_folder() {
    work_folder="$(mktemp -d "$tagsight_cache/fetch.XXXXXX")"
    trap 'rm -rf -- "$work_folder"' EXIT
}

require_apt() {
    local package=$1 tool
    for tool in apt-get dpkg-deb tar; do
        command -v "$tool" > /dev/null ||
            fail "this machine has no $tool, so $package cannot be fetched; install '$package' with your system's package manager"
    done
}

# apt-get with its locks, lists and archives kept out of the system's folders.
# LISTS is "system" (read the machine's lists) or "private" (our own, below the cache folder).
private_apt_get() {
    local lists=$1
    shift
    local state="$tagsight_cache/apt"
    local options=(
        -q
        -o Dir::Cache="$state/cache"
        -o Dir::Cache::archives="$state/cache/archives/"
        -o Debug::NoLocking=true
        -o APT::Sandbox::User="$(id -un)"
        -o APT::Get::List-Cleanup=false
    )
    if [ "$lists" = private ]; then options+=(-o Dir::State::Lists="$state/lists/"); fi
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    apt-get "${options[@]}" "$@"
}

refresh_private_lists() {
    local stamp="$tagsight_cache/apt/lists-fetched"
    if [ -n "$(find "$stamp" -mmin -1440 2> /dev/null)" ]; then return; fi
    say "fetching package lists into $tagsight_cache/apt (no root needed)"
    if private_apt_get private update > "$tagsight_cache/apt/update.log" 2>&1; then
        touch "$stamp"
    else
        say "some package lists could not be fetched, see $tagsight_cache/apt/update.log"
    fi
}

# Names of the packages that installing "$@" would add here: an upgrade of something installed is left out
# (the installed version serves, and a second C library beside the loader's own would not).
packages_to_add() {
    local lists=$1
    shift
    LC_ALL=C private_apt_get "$lists" --simulate --no-install-recommends --no-upgrade install "$@" 2> "$tagsight_cache/apt/resolve.log" |
        awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }'
}

# Download "$@" (and nothing else) into the folder FOLDER.
download_debs() {
    local lists=$1 folder=$2
    shift 2
    (cd "$folder" && private_apt_get "$lists" download "$@") > "$tagsight_cache/apt/download.log" 2>&1
}

fetch_debs() {
    local target=$1 lists names deb
    shift
    require_apt "$1"
    lock_cache
    make_work_folder
    for lists in system private; do
        if [ "$lists" = private ]; then refresh_private_lists; fi
        names="$(packages_to_add "$lists" "$@" | tr "\n" " " || true)"
        if [ -z "$names" ]; then continue; fi
        say "fetching $names"
        mkdir -p "$work_folder/debs"
        # shellcheck disable=SC2086  # one word per package name is meant
        if download_debs "$lists" "$work_folder/debs" $names; then break; fi
        rm -rf -- "$work_folder/debs"
    done
    [ -d "$work_folder/debs" ] ||
        fail "could not fetch $1 with apt-get (see $tagsight_cache/apt/resolve.log and download.log); install the package '$1' yourself"
    mkdir "$work_folder/root"
    for deb in "$work_folder"/debs/*.deb; do dpkg-deb -x "$deb" "$work_folder/root"; done
    rm -rf -- "$target"
    mkdir -p "$(dirname "$target")"
    mv "$work_folder/root" "$target"
    rm -rf -- "$work_folder"
}

fetch_deb_file() {
    local package=$1 pattern=$2 target=$3 lists member found=
    require_apt "$package"
    lock_cache
    make_work_folder
    for lists in system private; do
        if [ "$lists" = private ]; then refresh_private_lists; fi
        say "fetching the package $package for one file of it ($pattern)"
        if download_debs "$lists" "$work_folder" "$package"; then
            found=yes
            break
        fi
    done
    [ -n "$found" ] ||
        fail "could not fetch $package with apt-get (see $tagsight_cache/apt/download.log); install the package '$package' yourself"
    member="$(dpkg-deb --fsys-tarfile "$work_folder"/*.deb | tar -t | grep -E "$pattern" | head -n 1)"
    [ -n "$member" ] || fail "the package $package of this release has no file that matches $pattern"
    mkdir -p "$(dirname "$target")"
    dpkg-deb --fsys-tarfile "$work_folder"/*.deb | tar -x -O "$member" > "$work_folder/file"
    case "$member" in *.gz) gzip -dc "$work_folder/file" > "$work_folder/plain" && mv "$work_folder/plain" "$work_folder/file" ;; esac
    mv "$work_folder/file" "$target"
    rm -rf -- "$work_folder"
}

# Write WRAPPER: it runs BINARY (under ROOT) with the libraries that were unpacked beside it.
write_wrapper() {
    local wrapper=$1 root=$2 binary=$3 folders
    folders="$(find "$root" \( -name '*.so' -o -name '*.so.*' \) -printf '%h\n' | sort -u | paste -sd:)"
    mkdir -p "$(dirname "$wrapper")"
    cat > "$wrapper.new" << WRAPPER
#!/bin/sh
LD_LIBRARY_PATH="$folders\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$root/$binary" "\$@"
WRAPPER
    chmod 755 "$wrapper.new"
    mv "$wrapper.new" "$wrapper"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    [ $# -gt 0 ] || fail "usage: ${0##*/} PACKAGE..."
    if dpkg-query -s "$@" > /dev/null 2>&1; then exit 0; fi
    target="$tagsight_cache/debs/$1"
    if [ ! -d "$target" ]; then fetch_debs "$target" "$@"; fi
    echo "$target"
fi
