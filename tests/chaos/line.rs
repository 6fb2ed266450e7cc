//! A stretch of TCP between two processes that can be troubled. It listens on a port of its own for the whole run;
//! where it leads may change, for connections that are made from then on.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Every connection is ended at once.
    Reset,
    /// Connections stand and carry nothing; when this ends, so do they.
    Hang,
    /// What is asked arrives; the connection ends when the answer begins.
    LoseAnswers,
}

/// Dropping it ends its connections.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    mode: watch::Sender<Mode>,
    accepting: JoinHandle<()>,
}

const TRY_AGAIN: Duration = Duration::from_millis(10);

impl Line {
    pub(crate) async fn to(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Pass);
        let (target, targets) = watch::channel(target);
        let accepting = tokio::spawn(accept(listener, targets, modes));
        Ok(Self { address, target, mode, accepting })
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// For new connections. Of those that stand, every second one is ended, so that its user comes to the new place
    /// too, and every other one is let be.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, targets: watch::Receiver<SocketAddr>, modes: watch::Receiver<Mode>) {
    for number in 0_u64.. {
        let near = loop {
            match listener.accept().await {
                Ok((near, _)) => break near,
                Err(_) => tokio::time::sleep(TRY_AGAIN).await,
            }
        };
        let stays = number % 2 == 0;
        tokio::spawn(carry(near, targets.clone(), stays, modes.clone()));
    }
}

async fn carry(
    near: TcpStream,
    mut targets: watch::Receiver<SocketAddr>,
    stays: bool,
    mut modes: watch::Receiver<Mode>,
) {
    let mode = *modes.borrow_and_update();
    match mode {
        Mode::Reset => return end_hard(near),
        Mode::Hang => {
            // The listener's end means the end of the run.
            let _ = modes.wait_for(|mode| *mode != Mode::Hang).await;
            return end_hard(near);
        }
        Mode::Pass | Mode::LoseAnswers => {}
    }
    let target = *targets.borrow_and_update();
    let Ok(far) = TcpStream::connect(target).await else { return end_hard(near) };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    // Whichever direction ends, ends both.
    tokio::select! {
        () = pass(near_in, far_out, modes.clone(), false) => {}
        () = pass(far_in, near_out, modes, true) => {}
        _ = targets.changed(), if !stays => {}
    }
}

/// Carries one direction until it ends or the mode forbids it.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    is_answer: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            changed = modes.changed() => {
                let mode = *modes.borrow_and_update();
                match mode {
                    Mode::Pass | Mode::LoseAnswers if changed.is_ok() => continue,
                    Mode::Hang if changed.is_ok() => {
                        let _ = modes.wait_for(|mode| *mode != Mode::Hang).await;
                        return;
                    }
                    _ => return,
                }
            }
        };
        let Ok(read @ 1..) = read else { return };
        if is_answer && *modes.borrow() == Mode::LoseAnswers {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// With a reset, as a host answers on whose port nobody listens any more.
fn end_hard(connection: TcpStream) {
    let _ = connection.set_zero_linger();
    drop(connection);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Answers every byte with the same byte, and counts what it heard.
    async fn echo() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let heard = Arc::clone(&shared);
                tokio::spawn(async move {
                    while let Ok(byte) = connection.read_u8().await {
                        heard.lock().unwrap().push(byte);
                        let _ = connection.write_u8(byte).await;
                    }
                });
            }
        });
        (address, heard)
    }

    async fn asked(line: &Line, byte: u8) -> Option<u8> {
        let mut connection = TcpStream::connect(line.address).await.ok()?;
        connection.write_u8(byte).await.ok()?;
        connection.read_u8().await.ok()
    }

    #[tokio::test]
    async fn what_is_said_passes_and_answers_can_be_lost() {
        let (address, heard) = echo().await;
        let line = Line::to(address).await.unwrap();
        assert_eq!(asked(&line, 1).await, Some(1));
        line.set(Mode::LoseAnswers);
        assert_eq!(asked(&line, 2).await, None);
        line.set(Mode::Reset);
        assert_eq!(asked(&line, 3).await, None);
        line.set(Mode::Pass);
        assert_eq!(asked(&line, 4).await, Some(4));
        assert_eq!(*heard.lock().unwrap(), [1, 2, 4]);
    }

    #[tokio::test]
    async fn what_hangs_never_arrives_later() {
        let (address, heard) = echo().await;
        let line = Line::to(address).await.unwrap();
        let mut standing = TcpStream::connect(line.address).await.unwrap();
        standing.write_u8(1).await.unwrap();
        assert_eq!(standing.read_u8().await.unwrap(), 1);
        line.set(Mode::Hang);
        tokio::task::yield_now().await;
        let hanging = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            standing.write_u8(2).await.unwrap();
            standing.read_u8().await
        });
        tokio::time::sleep(Duration::from_millis(60)).await;
        line.set(Mode::Pass);
        assert!(hanging.await.unwrap().is_err());
        assert_eq!(*heard.lock().unwrap(), [1]);
    }

    #[tokio::test]
    async fn of_the_standing_connections_every_second_one_moves() {
        let ((first, _), (second, heard)) = (echo().await, echo().await);
        let line = Line::to(first).await.unwrap();
        let mut standing = Vec::new();
        for byte in 0..4 {
            let mut connection = TcpStream::connect(line.address).await.unwrap();
            connection.write_u8(byte).await.unwrap();
            assert_eq!(connection.read_u8().await.unwrap(), byte);
            standing.push(connection);
        }
        line.lead_to(second);
        assert_eq!(asked(&line, 9).await, Some(9));
        assert_eq!(*heard.lock().unwrap(), [9]);
        let mut alive = 0;
        for mut connection in standing {
            let _ = connection.write_u8(7).await;
            alive += usize::from(connection.read_u8().await.is_ok());
        }
        assert_eq!(alive, 2);
    }
}
