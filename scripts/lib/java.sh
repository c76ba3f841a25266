# For scripts that need Java 17: sourced after fetch_debs.sh.

# Print the folder of a Java 17: JAVA_HOME, that of the machine, or one fetched into the cache without root.
java_17_home() {
    local home
    if ! home=$(_java_17_here); then
        fetch_debs "$tagsight_cache/java/root" openjdk-17-jre-headless
        home=$(_java_17_here) || return 1
    fi
    printf '%s\n' "$home"
}

_java_17_here() {
    local java
    for java in "${JAVA_HOME:-}/bin/java" "$(command -v java || true)" "$tagsight_cache"/java/root/usr/lib/jvm/*/bin/java; do
        [ -x "$java" ] || continue
        case $("$java" -version 2>&1) in *'"17.'*) dirname "$(dirname "$(readlink -f "$java")")"; return 0 ;; esac
    done
    return 1
}
