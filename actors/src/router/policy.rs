//! Which connection a message goes through. A pure function; its test is a table of cases.

use domain::business::Routing;
use domain::connection::{Connection, ConnectionStatus, Transport};
use domain::ids::ConnectionId;

/// What the caller asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// This connection and no other.
    pub connection: Option<ConnectionId>,
    /// Send now or refuse; otherwise a message may be held until its number is back.
    pub immediate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Its number sends now.
    Send(ConnectionId),
    /// Its number does not send now; the message waits for it.
    Hold(ConnectionId),
}

impl Choice {
    pub const fn connection(self) -> ConnectionId {
        match self {
            Self::Send(id) | Self::Hold(id) => id,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the business has no connected number yet")]
    NoConnection,
    #[error("the number does not send at the moment")]
    NotSending { connection: ConnectionId, status: ConnectionStatus },
}

/// Decides. Official only, until there are unofficial connections to choose.
pub fn choose(routing: Routing, wish: Wish, connections: &[Connection]) -> Result<Choice, Refusal> {
    let candidates = connections.iter().filter(|connection| match wish.connection {
        Some(id) => connection.id == id,
        None => fits(routing, connection.transport()),
    });
    // The best state first; among equals the newest, which is the one the owner connected last.
    let best = candidates
        .filter(|connection| connection.graph_id.is_some())
        .max_by_key(|connection| (standing(connection.status), connection.id));
    let Some(best) = best else { return Err(Refusal::NoConnection) };
    match (best.status.sends(), wish.immediate) {
        (true, _) => Ok(Choice::Send(best.id)),
        (false, false) => Ok(Choice::Hold(best.id)),
        (false, true) => Err(Refusal::NotSending { connection: best.id, status: best.status }),
    }
}

fn fits(routing: Routing, transport: Transport) -> bool {
    match routing {
        Routing::Official | Routing::OfficialFirst => transport == Transport::Official,
        Routing::Unofficial => transport == Transport::Unofficial,
    }
}

const fn standing(status: ConnectionStatus) -> u8 {
    match status {
        ConnectionStatus::Connected => 5,
        ConnectionStatus::Degraded => 4,
        ConnectionStatus::Verifying => 3,
        ConnectionStatus::Suspended => 2,
        ConnectionStatus::Disconnected => 1,
        ConnectionStatus::Pending => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConnectionStatus::{Connected, Degraded, Disconnected, Suspended};
    use domain::clock::Timestamp;
    use domain::connection::ProviderName;
    use domain::ids::{AccountKey, BusinessKey};
    use domain::partition::Partition;
    use uuid::Uuid;

    fn connection(id: u128, status: ConnectionStatus) -> Connection {
        Connection {
            id: ConnectionId::from_uuid(Uuid::from_u128(id)),
            business: BusinessKey(1),
            business_reference: "duka".parse().unwrap(),
            account: AccountKey(1),
            partition: Partition(0),
            provider: ProviderName::Meta,
            status,
            reason: None,
            graph_id: Some(id.to_string()),
            waba_id: None,
            phone_number: None,
            verified_name: None,
            quality_rating: None,
            sending: domain::connection::Sending::default(),
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        }
    }

    fn id(id: u128) -> ConnectionId {
        ConnectionId::from_uuid(Uuid::from_u128(id))
    }

    type Case = (&'static str, Wish, Vec<Connection>, Result<Choice, Refusal>);

    #[test]
    fn every_case_of_the_table() {
        let any = Wish::default();
        let now = Wish { immediate: true, ..any };
        let cases: [Case; 7] = [
            ("no number", any, vec![], Err(Refusal::NoConnection)),
            ("one connected", any, vec![connection(1, Connected)], Ok(Choice::Send(id(1)))),
            (
                "connected before degraded",
                any,
                vec![connection(1, Connected), connection(2, Degraded)],
                Ok(Choice::Send(id(1))),
            ),
            (
                "the newest of equals",
                any,
                vec![connection(1, Connected), connection(2, Connected)],
                Ok(Choice::Send(id(2))),
            ),
            ("held while off", any, vec![connection(1, Disconnected)], Ok(Choice::Hold(id(1)))),
            (
                "refused when it must be now",
                now,
                vec![connection(1, Suspended)],
                Err(Refusal::NotSending { connection: id(1), status: Suspended }),
            ),
            (
                "a named one, though another is better",
                Wish { connection: Some(id(1)), ..any },
                vec![connection(1, Disconnected), connection(2, Connected)],
                Ok(Choice::Hold(id(1))),
            ),
        ];
        for (name, wish, connections, expected) in cases {
            assert_eq!(choose(Routing::Official, wish, &connections), expected, "{name}");
        }
    }

    #[test]
    fn an_unofficial_wish_never_takes_an_official_number() {
        let official = [connection(1, Connected)];
        assert_eq!(choose(Routing::Unofficial, Wish::default(), &official), Err(Refusal::NoConnection));
    }
}
