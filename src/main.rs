//! Starts the gateway's command line.

use std::process::ExitCode;

use gateway::http::error::Chain;
use rustix::process::{Resource, Rlimit, setrlimit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The memory of this process holds tokens: it is never written to disk.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match actix_rt::System::new().block_on(gateway::cli::run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error: Box<dyn std::error::Error> = error.into();
            complain(&Chain(&*error).to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "logging may not have started")]
fn complain(error: &str) {
    eprintln!("gateway: {error}");
}
