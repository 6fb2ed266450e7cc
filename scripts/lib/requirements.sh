# Finds what the tests need besides Rust, and installs it from Debian packages where it can.
# shellcheck shell=bash

missing=()      # in words
packages=()     # Debian packages that would bring it

first_command() {
  local candidate
  for candidate in "$@"; do
    if command -v "$candidate"; then return 0; fi
  done
  return 1
}

# A path that is set is used, never replaced by another browser.
find_chromium() {
  if [[ -n ${GATEWAY_TEST_CHROMIUM:-} ]]; then command -v "$GATEWAY_TEST_CHROMIUM"; return; fi
  first_command chromium chromium-browser google-chrome
}

find_chromedriver() { command -v "${GATEWAY_TEST_CHROMEDRIVER:-chromedriver}"; }

# Debian keeps the server's programs outside PATH, one folder per major version.
find_postgres() {
  local folder
  while read -r folder; do
    if [[ -x $folder/initdb && -x $folder/postgres && -x $folder/psql ]]; then
      echo "$folder"
      return 0
    fi
  done < <(
    if command -v initdb >/dev/null; then dirname "$(readlink -f "$(command -v initdb)")"; fi
    printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort --reverse
  )
  return 1
}

# look_for WORDS PACKAGES COMMAND… : notes what is missing when the command fails.
look_for() {
  local words=$1 debian=$2
  shift 2
  if "$@" >/dev/null 2>&1; then return 0; fi
  missing+=("$words")
  read -ra debian <<<"$debian"
  packages+=("${debian[@]}")
}

# survey BROWSER(yes|no): fills `missing` and `packages`.
survey() {
  missing=() packages=()
  look_for "a C compiler (cc)" "gcc libc6-dev" command -v cc
  look_for "a PostgreSQL server" postgresql find_postgres
  look_for "a Redis server" redis-server command -v redis-server
  look_for "redis-cli" redis-tools command -v redis-cli
  [[ $1 == yes ]] || return 0
  look_for "Python 3 with venv" "python3 python3-venv" python3 -c "import ensurepip, venv"
  look_for "Chromium" chromium find_chromium
  look_for "ChromeDriver" chromium-driver find_chromedriver
}

apt() {
  local as_root=()
  ((EUID == 0)) || as_root=(sudo -n)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 --quiet "$@" </dev/null
}

can_install() {
  command -v apt-get >/dev/null && { ((EUID == 0)) || sudo -n true 2>/dev/null; }
}

require_rust_tools() {
  command -v cargo >/dev/null || die 2 "cargo is missing: install Rust with rustup"
  cargo fmt --version >/dev/null 2>&1 || die 2 "rustfmt is missing: rustup component add rustfmt"
  cargo clippy --version >/dev/null 2>&1 || die 2 "clippy is missing: rustup component add clippy"
}

# require BROWSER(yes|no): afterwards everything is there, or the script has ended with 2.
require() {
  survey "$1"
  if ((${#missing[@]})) && can_install; then
    say "Installing ${packages[*]}"
    apt update || warn "the package lists could not be refreshed; going on with the ones at hand"
    apt install --yes --no-install-recommends "${packages[@]}" || warn "apt-get install failed"
    survey "$1"
  fi
  if ((${#missing[@]})); then
    warn "missing:"
    printf '  - %s\n' "${missing[@]}" >&2
    die 2 "install these as root, then try again: apt-get install ${packages[*]}"
  fi
}
