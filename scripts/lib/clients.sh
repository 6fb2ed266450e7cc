# Published programs for `tests/it/clients`, in a folder of their own below the target folder: Cloud API clients, and what
# tries the API by its description. Node comes from the same place as the Python library, so that its version is known.
# shellcheck shell=bash

# The versions that are asked for, in a word.
clients_wanted() {
  cat "$root"/tests/clients/python/requirements.txt "$root"/tests/clients/node/package-lock.json \
    "$root"/tests/openapi/requirements.txt | sha256sum | cut -c1-16
}

# python_packages FOLDER LIST: exactly these, and nothing that they ask for besides.
python_packages() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$2"
}

# install_clients FOLDER: afterwards all of them are there, or it has failed.
install_clients() {
  local folder=$1 wanted
  wanted=$(clients_wanted)
  [[ ! -e $folder/$wanted ]] || return 0
  rm -rf "$folder"
  python_packages "$folder/python" "$root/tests/clients/python/requirements.txt"
  python_packages "$folder/openapi" "$root/tests/openapi/requirements.txt"
  mkdir "$folder/node"
  cp "$root"/tests/clients/node/package{,-lock}.json "$folder/node"
  (cd "$folder/node" && PATH=$folder/python/bin:$PATH npm ci --silent --ignore-scripts --no-audit --no-fund)
  touch "$folder/$wanted"
}
