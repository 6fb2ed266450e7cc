//! The processes of the gateway, one after the other or two at a time.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::settings::{Common, Own};
use crate::clock;
use crate::history::{End, Life};
use crate::line::Line;
use crate::program;
use crate::support::api::client;

const START_WITHIN: Duration = Duration::from_mins(1);
/// A superseded process learns of it within a second, and may take its time to finish what clients asked it.
const ENDS_WITHIN: Duration = Duration::from_secs(12);
/// So long another process would take for the silence of a dead one.
const LEASE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(30);

pub(crate) struct Gateways {
    common: Common,
    sandbox: SocketAddr,
    front: Arc<Line>,
    current: Option<Process>,
    /// Superseded, and perhaps still there.
    older: Option<Process>,
    pub(crate) lives: Vec<Life>,
    /// They carry to the platform what a process wrote before its end.
    uplinks: Vec<Arc<Line>>,
    client: reqwest::Client,
}

struct Process {
    child: Child,
    life: usize,
}

impl Process {
    fn id(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be asked for").is_some()
    }

    /// One that has ended meanwhile needs no signal.
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id() {
            let _ = kill_process(id, signal);
        }
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl Gateways {
    pub(super) fn new(common: Common, sandbox: SocketAddr, front: Arc<Line>) -> Self {
        Self {
            common,
            sandbox,
            front,
            current: None,
            older: None,
            lives: Vec::new(),
            uplinks: Vec::new(),
            client: client(),
        }
    }

    /// Makes master key, schema and API key; answers the key.
    pub(super) async fn prepare(&mut self) -> String {
        let keys = program::answer(program::gateway(&["keys", "new"])).await;
        let mut file = File::options();
        let mut file = file
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.common.master_keys())
            .expect("a new file");
        std::io::Write::write_all(&mut file, keys.as_bytes()).expect("the key is written");
        let own = Own { listen: free_port(), operations: free_port(), uplink: self.sandbox, room_mb: None };
        let settings = self.write_settings("setup", own);
        program::answer(program::gateway(&["migrate", "--config", &settings])).await;
        program::answer(program::gateway(&["api-key", "new", "--config", &settings])).await
    }

    /// A new process; it serves when this returns, and what is asked from now on leads to it.
    pub(crate) async fn start(&mut self, room_mb: Option<u64>) {
        let started = Instant::now();
        let uplink = Arc::new(Line::to(self.sandbox).await.expect("a port"));
        let life = self.lives.len();
        self.uplinks.push(Arc::clone(&uplink));
        // It may find its port or its database taken; another try is made then.
        while started.elapsed() < START_WITHIN {
            let own = Own { listen: free_port(), operations: free_port(), uplink: uplink.address, room_mb };
            let settings = self.write_settings(&format!("process-{}", life + 1), own);
            let started_at = clock::now();
            let mut child = program::gateway(&["serve", "--config", &settings])
                .stdout(self.log())
                .stderr(self.log())
                .spawn()
                .expect("it starts");
            if self.gets_ready(&mut child, own.operations, started).await {
                self.front.lead_to(([127, 0, 0, 1], own.listen).into());
                self.lives.push(Life {
                    host: uplink.address.to_string(),
                    started_at,
                    ready_at: clock::now(),
                    ended_at: None,
                    end: None,
                    hindered: Vec::new(),
                    superseded_at: None,
                    lease_over_at: None,
                });
                self.current = Some(Process { child, life });
                return;
            }
        }
        panic!("the gateway does not start within {START_WITHIN:?}: see {}", self.common.folder.display());
    }

    pub(crate) async fn kill(&mut self) {
        let process = self.current.take();
        self.end(process, End::Killed).await;
    }

    /// SIGTERM, and a wait for its end.
    pub(crate) async fn stop(&mut self) {
        let Some(mut process) = self.current.take() else { return };
        process.signal(Signal::TERM);
        let ended = tokio::time::timeout(ENDS_WITHIN, process.child.wait()).await;
        self.end(Some(process), if ended.is_ok() { End::Asked } else { End::Overstayed }).await;
    }

    pub(crate) fn pause(&self) {
        if let Some(process) = &self.current {
            process.signal(Signal::STOP);
        }
    }

    /// `slept`: for how long it was paused.
    pub(crate) fn resume(&mut self, slept: Duration) {
        if let Some(process) = &self.current {
            if slept >= LEASE {
                self.lives[process.life].lease_over_at = Some(clock::now());
            }
            process.signal(Signal::CONT);
        }
    }

    /// Starts another one in the place of one that ended by itself, as an operator's supervisor would. True if it did.
    pub(crate) async fn restart_if_ended(&mut self) -> bool {
        let ended = self.current.as_mut().is_some_and(Process::has_ended);
        if ended {
            let process = self.current.take();
            self.end(process, End::Unasked).await;
            self.start(None).await;
        }
        ended
    }

    /// Wakes the process that is the current one now, whichever is then.
    pub(crate) fn resume_later(&self, at: Instant) -> JoinHandle<()> {
        let id = self.current.as_ref().and_then(Process::id);
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            if let Some(id) = id {
                let _ = kill_process(id, Signal::CONT);
            }
        })
    }

    /// A second process takes over; the first is let be.
    pub(crate) async fn replace(&mut self) {
        self.end_older().await;
        self.older = self.current.take();
        self.start(None).await;
    }

    /// The superseded process has to end by itself.
    pub(crate) async fn end_older(&mut self) {
        let Some(mut process) = self.older.take() else { return };
        let life = &mut self.lives[process.life];
        life.superseded_at = Some(clock::now());
        let ended = tokio::time::timeout(ENDS_WITHIN, process.child.wait()).await;
        self.end(Some(process), if ended.is_ok() { End::Superseded } else { End::Overstayed }).await;
    }

    pub(crate) async fn end_all(&mut self) {
        for process in [self.older.take(), self.current.take()] {
            self.end(process, End::Over).await;
        }
    }

    /// The way to the platform of every process.
    pub(crate) fn uplinks(&self) -> Vec<Arc<Line>> {
        self.uplinks.clone()
    }

    async fn end(&mut self, process: Option<Process>, end: End) {
        let Some(mut process) = process else { return };
        // One that is there until it is killed ends by that; one that is not ended before, whatever was meant for it.
        let end =
            if matches!(end, End::Killed | End::Over) && process.has_ended() { End::Unasked } else { end };
        let _ = process.child.kill().await;
        let life = &mut self.lives[process.life];
        life.ended_at = Some(clock::now());
        life.end = Some(end);
    }

    /// False if it ended instead, or takes too long.
    async fn gets_ready(&self, child: &mut Child, operations: u16, started: Instant) -> bool {
        let ready = format!("http://127.0.0.1:{operations}/readyz");
        while started.elapsed() < START_WITHIN {
            if child.try_wait().expect("the process can be asked for").is_some() {
                return false;
            }
            let request = self.client.get(&ready).timeout(Duration::from_secs(1));
            if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }

    fn write_settings(&self, name: &str, own: Own) -> String {
        let path = self.common.folder.join(format!("{name}.toml"));
        std::fs::write(&path, self.common.toml(own)).expect("settings are written");
        path.to_str().expect("a folder that is text").to_owned()
    }

    fn log(&self) -> File {
        let path = self.common.folder.join("gateway.log");
        File::options().create(true).append(true).open(path).expect("a log file")
    }
}
