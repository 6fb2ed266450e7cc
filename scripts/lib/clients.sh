# Published Cloud API clients for `tests/it/clients.rs`, in a folder of their own below the target folder. Node comes from
# the same place as the Python library, so that its version is known.
# shellcheck shell=bash

# The versions that are asked for, in a word.
clients_wanted() {
  cat "$root"/tests/clients/python/requirements.txt "$root"/tests/clients/node/package-lock.json | sha256sum | cut -c1-16
}

# clients FOLDER: afterwards both libraries are there, or it has failed.
install_clients() {
  local folder=$1 wanted
  wanted=$(clients_wanted)
  [[ ! -e $folder/$wanted ]] || return 0
  rm -rf "$folder"
  python3 -m venv "$folder/python"
  "$folder/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    --requirement "$root/tests/clients/python/requirements.txt"
  mkdir "$folder/node"
  cp "$root"/tests/clients/node/package{,-lock}.json "$folder/node"
  (cd "$folder/node" && PATH=$folder/python/bin:$PATH npm ci --silent --ignore-scripts --no-audit --no-fund)
  touch "$folder/$wanted"
}
