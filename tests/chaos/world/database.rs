//! The database of one run: a file, or a PostgreSQL server of the run's own, which may be restarted at any moment.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::support::eventually;

const BIN: &str = "GATEWAY_TEST_POSTGRES_BIN";
/// PostgreSQL refuses to be root.
const USER: &str = "GATEWAY_TEST_SERVICE_USER";
const PATIENCE: Duration = Duration::from_secs(30);
/// Other servers of this machine may want the same port, and a second try is cheap.
const STARTS: u32 = 10;

/// Whether a server can be started here.
pub(crate) fn postgres_is_there() -> bool {
    let there = std::env::var_os(BIN).is_some();
    assert!(
        there || std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(),
        "{BIN} is not set: run scripts/test"
    );
    there
}

pub(crate) enum Server {
    Sqlite { file: PathBuf },
    Postgres(Box<Postgres>),
}

impl Server {
    pub(super) fn sqlite(folder: &Path) -> Self {
        Self::Sqlite { file: folder.join("gateway.db") }
    }

    pub(super) async fn postgres(folder: &Path, options: &'static [&'static str]) -> Self {
        Self::Postgres(Box::new(Postgres::start(folder, options).await))
    }

    /// A statement in the gateway's own database. PostgreSQL only.
    pub(super) async fn run(&self, statement: &str) {
        let Self::Postgres(server) = self else { panic!("statements are run on PostgreSQL only") };
        run(psql(&server.place, "gateway", statement).args(["-v", "ON_ERROR_STOP=1"])).await;
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite://{}", file.display()),
            Self::Postgres(server) => format!("postgres://gateway@127.0.0.1:{}/gateway", server.place.port),
        }
    }

    /// At the end of a run. A server that were killed would leave its shared memory behind.
    pub(crate) async fn stop(&self) {
        if let Self::Postgres(server) = self {
            drop_everything(&mut *server.server.lock().await).await;
        }
    }

    /// In whole megabytes that are full. A limit of so many leaves no more room than what is free in the file.
    pub(crate) fn size_mb(&self) -> u64 {
        let Self::Sqlite { file } = self else { return 0 };
        std::fs::metadata(file).map_or(0, |metadata| metadata.len()) >> 20
    }
}

pub(crate) struct Postgres {
    place: Place,
    server: Mutex<Child>,
}

/// Where a server lives, and how it is started.
struct Place {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    options: &'static [&'static str],
}

impl Postgres {
    async fn start(parent: &Path, options: &'static [&'static str]) -> Self {
        let bin = PathBuf::from(std::env::var_os(BIN).expect("asked before"));
        let folder = parent.join("postgres");
        std::fs::create_dir(&folder).expect("a folder for PostgreSQL");
        if let Ok(user) = std::env::var(USER) {
            open_to(parent);
            run(Command::new("chown").arg(user).arg(&folder)).await;
        }
        run(as_service(&bin.join("initdb"))
            .args(["--username", "gateway", "--auth", "trust", "--encoding", "UTF8"])
            .args(["--locale", "C.UTF-8", "--no-sync", "--pgdata"])
            .arg(folder.join("data")))
        .await;
        let mut place = Place { bin, folder, port: 0, options };
        for _ in 0..STARTS {
            place.port = super::gateways::free_port();
            if let Some(server) = place.serve().await {
                run(&mut psql(&place, "postgres", "CREATE DATABASE gateway")).await;
                return Self { place, server: Mutex::new(server) };
            }
        }
        panic!("PostgreSQL does not start:\n{}", place.log())
    }

    /// As after a crash: every connection is dropped, nothing is finished. It serves again when this returns.
    pub(crate) async fn restart_at_once(&self) {
        let mut server = self.server.lock().await;
        drop_everything(&mut server).await;
        for _ in 0..STARTS {
            if let Some(again) = self.place.serve().await {
                *server = again;
                return;
            }
        }
        panic!("PostgreSQL does not come back:\n{}", self.place.log())
    }
}

async fn drop_everything(server: &mut Child) {
    let id = server.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("the server runs");
    // What `pg_ctl stop -m immediate` sends.
    kill_process(id, Signal::QUIT).expect("the server can be told");
    server.wait().await.expect("the server ends");
}

impl Place {
    /// A server that answers; nothing if it ended instead.
    async fn serve(&self) -> Option<Child> {
        let log = File::options().create(true).append(true).open(self.folder.with_extension("log"));
        let server = as_service(&self.bin.join("postgres"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(&self.folder)
            // Durability is what this is about: fsync and synchronous_commit stay on.
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=60",
                "-c",
                "shared_buffers=32MB",
            ])
            .args(self.options)
            .stderr(log.expect("a log file"))
            .stdout(Stdio::null())
            .spawn()
            .expect("PostgreSQL starts");
        let server = Mutex::new(server);
        let answers = eventually("PostgreSQL serves", PATIENCE, || async {
            if server.lock().await.try_wait().expect("the server can be asked for").is_some() {
                return Ok(false);
            }
            // By its socket in our folder, so that a stranger's server is never taken for ours.
            let asked = psql(self, "postgres", "SELECT 1").output().await.expect("psql runs");
            if asked.status.success() { Ok(true) } else { Err(self.log()) }
        })
        .await;
        answers.then(|| server.into_inner())
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default();
        text.lines().rev().take(20).collect::<Vec<_>>().join("\n")
    }
}

fn psql(place: &Place, database: &str, statement: &str) -> Command {
    let mut command = Command::new(place.bin.join("psql"));
    command.arg("-h").arg(&place.folder).args([
        "-p",
        &place.port.to_string(),
        "-U",
        "gateway",
        "-d",
        database,
    ]);
    command.args(["--no-psqlrc", "--quiet", "--command", statement]).stdin(Stdio::null());
    command
}

/// In the folder `/`, because the service's user may not be allowed into the tree.
fn as_service(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    if let Ok(user) = std::env::var(USER) {
        command.args([format!("--reuid={user}"), "--clear-groups".to_owned()]);
        let group = std::process::Command::new("id").args(["-g", &user]).output().expect("id runs");
        command.arg(format!("--regid={}", String::from_utf8_lossy(&group.stdout).trim()));
    }
    command.arg("--pdeathsig=KILL").arg(program);
    command
}

/// The service's user has to get through to its own folder; what lies beside it stays closed by its own modes.
fn open_to(parent: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o711)).expect("our own folder");
}

async fn run(command: &mut Command) {
    let ran = command.stdin(Stdio::null()).output().await.expect("the command starts");
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}
