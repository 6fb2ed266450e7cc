# The checks that need no service, for scripts/lint and scripts/test alike.
# shellcheck shell=bash

# lint CLIPPY(yes|no)
lint() {
  step "Format" cargo fmt --all --check
  if [[ $1 == yes ]]; then
    step "Clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
  fi
  # Of the whole workspace, so that it is built with the features that the tests are built with: nothing twice.
  step "Policy" cargo test --workspace --locked --test policy
}
