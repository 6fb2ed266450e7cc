//! The migrations are compiled in, and lie outside of this package.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
