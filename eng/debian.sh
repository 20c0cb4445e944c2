# Sourced by get-ptxas and get-pocl: takes packages of the next Debian release and unpacks them into a cache folder, without installing anything.
# The machine must be a Debian with apt; its own mirror, proxy and archive keys are used, through a private apt configuration that shares no state with it.

release=trixie

# skip REASON: what is wanted cannot be had on this machine. Exit code 77 tells that from a failure.
skip() {
    echo "skipped: $*" >&2
    exit 77
}

cache=${SFN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/sfn}

# quietly COMMAND…: its output only appears if it fails.
quietly() { "$@" > "$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; return 1; }; }

# private_apt FOLDER: sets the array apt to an apt-get that works in FOLDER on `release` alone and believes that nothing is installed.
private_apt() {
    local id='' codename='' mirror arch
    [ "$(uname -s)" = Linux ] && [ "$(uname -m)" = x86_64 ] || skip "needs Linux on x86-64, this is $(uname -s) on $(uname -m)"
    command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || skip "needs Debian's apt-get and dpkg-deb"
    id=$(. /etc/os-release && echo "${ID-}")
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    [ "$id" = debian ] || skip "needs a Debian: only there apt knows a Debian mirror and its keys; this is '$id'"
    mirror=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v name="$codename" '$1 ~ "^(" name "|(old)?stable)$" && $2 == "main" && !found { print $3; found = 1 }')
    [ -n "$mirror" ] || skip "apt's sources name no mirror of Debian $codename (component main)"
    arch=$(dpkg --print-architecture)
    mkdir -p "$1"/{lists/partial,cache/archives/partial,trusted.d}
    : > "$1/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main contrib non-free" > "$1/sources.list"
    # Hooks of the machine's own configuration (caches, desktop indexes) are none of our business: #clear. Its proxy settings stay.
    cat > "$1/apt.conf" <<CONF
#clear APT::Update;
#clear DPkg::Post-Invoke;
Dir::Etc::SourceList "$1/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$1";
Dir::State::Lists "$1/lists";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
Debug::NoLocking "1";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "$(id -un)";
APT::Install-Recommends "0";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
CONF
    apt=(apt-get -c "$1/apt.conf" -q -y)
    quietly timeout -k 5 45 "${apt[@]}" -o APT::Update::Error-Mode=any update ||
        skip "cannot read the package lists of Debian $release from this machine's mirror"
}
