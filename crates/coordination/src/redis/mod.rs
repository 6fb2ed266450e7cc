//! Coordination of several nodes through Redis.
//!
//! Everything stands in four keys of one hash slot, changed by scripts that run whole or not at all. Redis may
//! forget all of it at any time: each node repeats what it holds as soon as a beat shows another memory than
//! before. One server or one primary is expected behind the URL.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::{AsyncTypedCommands as _, RedisError, Script};
use async_trait::async_trait;
use deadpool_redis::{Connection, Pool, PoolConfig, Runtime, Timeouts};
use domain::contracts::coordination::{CoordinationError, Member, Membership};
use domain::partition::{Epoch, Incarnation, Partition};
use domain::secret::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::ALIVE_FOR;
use crate::in_process::order;

/// Calls are rare: a beat each second, and one for a message that arrived at another node than its owner's.
const CONNECTIONS: usize = 4;
/// For a free connection, and for a new one. An answer is waited for half a second, the client's own default.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the Redis of this cluster is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `redis://` or, with TLS, `rediss://`; user, password and database may stand in it.
    pub url: SecretString,
    /// Keeps clusters that share a server apart: 1 to 64 letters, digits, dots, dashes or underscores.
    pub cluster: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The cause is left out: it may repeat the URL, and with it the password.
    #[error("the URL of Redis cannot be used: write redis://host:port/database, or rediss:// for TLS")]
    Url,
    #[error("the name of the cluster must have 1 to 64 letters, digits, dots, dashes or underscores")]
    Cluster,
}

pub struct Redis {
    pool: Pool,
    keys: Keys,
    scripts: Scripts,
    alive_for: Duration,
    told: Mutex<Told>,
}

/// All with the same hash tag, so that one script may use them together.
struct Keys {
    seen: String,
    members: String,
    memory: String,
    holders: String,
}

struct Scripts {
    beat: Script,
    publish: Script,
    leave: Script,
}

/// What this node said, to be repeated to a server that forgot it.
#[derive(Default)]
struct Told {
    held: HashMap<Partition, (Incarnation, Epoch)>,
    /// Counts the changes of `held`.
    changes: u64,
    /// The memory of the server that is known to know all of `held`.
    memory: Option<String>,
}

impl Told {
    /// Afterwards no server is known to know: a beat repeats it, whatever becomes of the call that tells it now.
    fn note(&mut self, owner: Incarnation, held: &[(Partition, Epoch)]) {
        for (partition, epoch) in held {
            let known = self.held.entry(*partition).or_insert((owner, *epoch));
            if *epoch > known.1 {
                *known = (owner, *epoch);
            }
        }
        self.changes += 1;
        self.memory = None;
    }
}

/// What a node says of itself.
#[derive(Serialize, Deserialize)]
struct Entry {
    incarnation: i64,
    name: String,
    address: String,
}

#[derive(Debug, thiserror::Error)]
#[error("unreadable {what} in Redis")]
struct Unreadable {
    what: &'static str,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis")
    }
}

impl Redis {
    /// Connects at the first call, not here: a node starts without Redis too.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let cluster = config.cluster.as_str();
        if !(1..=64).contains(&cluster.len()) || !cluster.bytes().all(plain) {
            return Err(ConfigError::Cluster);
        }
        let mut pool = deadpool_redis::Config::from_url(config.url.expose_secret());
        pool.pool = Some(PoolConfig {
            max_size: CONNECTIONS,
            timeouts: Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) },
            ..PoolConfig::default()
        });
        let pool = pool.create_pool(Some(Runtime::Tokio1)).map_err(|_| ConfigError::Url)?;
        let key = |name: &str| format!("{{gw:{cluster}}}:{name}");
        Ok(Self {
            pool,
            keys: Keys {
                seen: key("seen"),
                members: key("members"),
                memory: key("memory"),
                holders: key("holders"),
            },
            scripts: Scripts {
                beat: Script::new(include_str!("lua/beat.lua")),
                publish: Script::new(include_str!("lua/publish.lua")),
                leave: Script::new(include_str!("lua/leave.lua")),
            },
            alive_for: ALIVE_FOR,
            told: Mutex::default(),
        })
    }

    /// Another limit than [`ALIVE_FOR`].
    #[must_use]
    pub fn with_alive_for(self, alive_for: Duration) -> Self {
        Self { alive_for, ..self }
    }

    async fn connection(&self) -> Result<Connection, CoordinationError> {
        self.pool.get().await.map_err(|error| CoordinationError(Box::new(error)))
    }

    fn with_told<T>(&self, act: impl FnOnce(&mut Told) -> T) -> T {
        act(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn tell(
        &self,
        connection: &mut Connection,
        owner: Incarnation,
        held: impl Iterator<Item = (Partition, Epoch)>,
    ) -> Result<(), CoordinationError> {
        let mut script = self.scripts.publish.key(&self.keys.holders);
        script.arg(owner.0);
        let mut any = false;
        // Epochs count up from 0.
        for (partition, epoch) in held.filter(|(_, epoch)| epoch.0 >= 0) {
            script.arg(partition.0).arg(epoch.0);
            any = true;
        }
        if any {
            script.invoke_async::<i64>(connection).await.map_err(unreachable)?;
        }
        Ok(())
    }

    /// Tells all of it to a server that is not known to know.
    async fn repeat(&self, connection: &mut Connection, memory: String) -> Result<(), CoordinationError> {
        let (held, changes) = self.with_told(|told| (told.held.clone(), told.changes));
        let mut by_owner: HashMap<Incarnation, Vec<(Partition, Epoch)>> = HashMap::new();
        for (partition, (owner, epoch)) in held {
            by_owner.entry(owner).or_default().push((partition, epoch));
        }
        for (owner, held) in by_owner {
            self.tell(connection, owner, held.into_iter()).await?;
        }
        self.with_told(|told| {
            if told.changes == changes {
                told.memory = Some(memory);
            }
        });
        Ok(())
    }
}

#[async_trait]
impl Membership for Redis {
    async fn beat(&self, me: &Member) -> Result<Vec<Member>, CoordinationError> {
        let entry =
            Entry { incarnation: me.incarnation.0, name: me.name.clone(), address: me.address.clone() };
        let entry = serde_json::to_string(&entry).map_err(|error| CoordinationError(Box::new(error)))?;
        let mut connection = self.connection().await?;
        let (memory, entries): (String, Vec<String>) = self
            .scripts
            .beat
            .key(&self.keys.seen)
            .key(&self.keys.members)
            .key(&self.keys.memory)
            .arg(me.incarnation.0)
            .arg(entry)
            .arg(u64::try_from(self.alive_for.as_millis()).unwrap_or(u64::MAX))
            .invoke_async(&mut connection)
            .await
            .map_err(unreachable)?;
        if self.with_told(|told| told.memory.as_deref() != Some(&memory)) {
            self.repeat(&mut connection, memory).await?;
        }
        let mut members: Vec<Member> = entries.iter().filter_map(|entry| member(entry)).collect();
        order(&mut members);
        Ok(members)
    }

    async fn publish(
        &self,
        owner: Incarnation,
        held: &[(Partition, Epoch)],
    ) -> Result<(), CoordinationError> {
        self.with_told(|told| told.note(owner, held));
        let mut connection = self.connection().await?;
        self.tell(&mut connection, owner, held.iter().copied()).await
    }

    async fn holder(&self, partition: Partition) -> Result<Option<(Incarnation, Epoch)>, CoordinationError> {
        let known = self
            .connection()
            .await?
            .hget(&self.keys.holders, partition.0.to_string())
            .await
            .map_err(unreachable)?;
        known
            .map(|text| {
                let (epoch, incarnation) = text.split_once(':')?;
                Some((Incarnation(incarnation.parse().ok()?), Epoch(epoch.parse().ok()?)))
            })
            .map(|holder| holder.ok_or_else(|| CoordinationError(Box::new(Unreadable { what: "holder" }))))
            .transpose()
    }

    async fn leave(&self, me: Incarnation) -> Result<(), CoordinationError> {
        let mut connection = self.connection().await?;
        self.scripts
            .leave
            .key(&self.keys.seen)
            .key(&self.keys.members)
            .arg(me.0)
            .invoke_async::<i64>(&mut connection)
            .await
            .map_err(unreachable)?;
        Ok(())
    }
}

/// A node of another version may say something that this one cannot read; it must not hide the others.
fn member(entry: &str) -> Option<Member> {
    match serde_json::from_str::<Entry>(entry) {
        Ok(Entry { incarnation, name, address }) => {
            Some(Member { incarnation: Incarnation(incarnation), name, address })
        }
        Err(error) => {
            tracing::warn!(%error, "a node of the cluster cannot be read and is left out");
            None
        }
    }
}

fn unreachable(error: RedisError) -> CoordinationError {
    CoordinationError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, cluster: &str) -> Config {
        Config { url: SecretString::from(url.to_owned()), cluster: cluster.to_owned() }
    }

    #[test]
    fn a_bad_setting_is_refused_at_once_and_the_password_is_not_shown() {
        let planted = config("redis://:planted@127.0.0.1:notaport", "main");
        let error = Redis::new(&planted).unwrap_err();
        assert!(!format!("{planted:?} {error} {error:?}").contains("planted@"), "{error:?}");
        for cluster in ["", "a}b", "a b", &"x".repeat(65)] {
            assert!(matches!(Redis::new(&config("redis://127.0.0.1", cluster)), Err(ConfigError::Cluster)));
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_and_no_wait() {
        let nowhere = Redis::new(&config("redis://127.0.0.1:1", "main")).unwrap();
        assert!(nowhere.holder(Partition(0)).await.is_err());
        assert!(nowhere.publish(Incarnation(1), &[(Partition(0), Epoch(1))]).await.is_err());
    }
}
