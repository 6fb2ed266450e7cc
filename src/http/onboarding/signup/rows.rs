//! What a signup leaves in the database: the connection, and its credential with token and PIN sealed.

use domain::connection::Sending;
use domain::contracts::provider::{Grant, OfferedNumber};
use domain::contracts::store::Credential;
use domain::ids::ConnectionId;
use domain::onboarding::StepName;
use domain::{AccessToken, Connection, ConnectionStatus, ExposeSecret as _, Pin, Sealed};
use gateway_actors::{SealError, column};
use zeroize::Zeroizing;

use super::Signup;
use super::record::Stop;
use crate::http::error::Chain;
use crate::http::onboarding::flow;
use crate::http::onboarding::problem::Problem;

/// The row that a number goes into.
pub(super) struct Place {
    pub(super) id: ConnectionId,
    pub(super) existing: Option<Connection>,
    /// An earlier try's row that this number does not need.
    left_over: Option<(ConnectionId, ConnectionStatus)>,
}

impl Place {
    /// The connection's status until the steps are done: one that sends goes on sending.
    pub(super) fn meanwhile(&self) -> ConnectionStatus {
        let sends = |existing: &&Connection| existing.status.sends() && existing.graph_id.is_some();
        self.existing.as_ref().filter(sends).map_or(ConnectionStatus::Verifying, |existing| existing.status)
    }
}

impl Signup {
    /// Where the number goes, unless somebody else holds it.
    pub(super) async fn place(&self, number: &OfferedNumber) -> Result<Place, Stop> {
        let step = StepName::ChooseNumber;
        let store = &self.state.store;
        let holder = store.connection_by_graph_id(&number.phone_number_id).await;
        let holder = holder.map_err(|error| Stop::store(step, &error))?;
        let replaced = self.connection(self.session.replace_connection).await?;
        let begun = self.begun().await?;
        let graph_id = &number.phone_number_id;
        let id = flow::place(self.business.key, graph_id, holder.as_ref(), replaced.as_ref(), begun.as_ref())
            .map_err(|problem| Stop::at(step, problem))?;
        let left_over = begun.as_ref().filter(|begun| Some(begun.id) != id);
        let left_over = left_over.map(|begun| (begun.id, begun.status));
        let existing =
            [holder, replaced, begun].into_iter().flatten().find(|connection| Some(connection.id) == id);
        let id = id.unwrap_or_else(|| ConnectionId::from_uuid(self.state.ids.next()));
        Ok(Place { id, existing, left_over })
    }

    async fn connection(&self, id: Option<ConnectionId>) -> Result<Option<Connection>, Stop> {
        let Some(id) = id else { return Ok(None) };
        let found = self.state.store.connection(id).await;
        let found = found.map_err(|error| Stop::store(StepName::ChooseNumber, &error))?;
        Ok(found.filter(|connection| connection.provider == self.provider))
    }

    /// What an earlier try of this session left unfinished.
    async fn begun(&self) -> Result<Option<Connection>, Stop> {
        let begun = self.connection(self.session.connection).await?;
        let unfinished = [ConnectionStatus::Pending, ConnectionStatus::Verifying];
        Ok(begun.filter(|connection| unfinished.contains(&connection.status)))
    }

    /// Writes connection and credential in one commit. Without a PIN, the one that is stored stays.
    pub(super) async fn save(
        &self,
        place: &Place,
        number: &OfferedNumber,
        grant: &Grant,
        token: &AccessToken,
        pin: Option<&Pin>,
        status: ConnectionStatus,
    ) -> Result<Connection, Stop> {
        let connection = Connection {
            graph_id: Some(number.phone_number_id.clone()),
            phone_number: number.phone_number.clone(),
            verified_name: number.verified_name.clone(),
            quality_rating: number.quality_rating.clone(),
            sending: sending(number, place.existing.as_ref()),
            ..self.row(place.id, place.existing.as_ref(), &number.waba_id, status)
        };
        let pin = match pin {
            Some(pin) => Some(self.seal(place.id, column::PIN, pin.expose_secret()).await?),
            None => self.stored(place.id).await?.and_then(|credential| credential.pin),
        };
        let credential = Credential {
            phone_number_id: connection.graph_id.clone(),
            pin,
            ..self.credential(place.id, token, grant, &number.waba_id).await?
        };
        self.write_rows(&connection, &credential).await?;
        Ok(connection)
    }

    /// The token must outlive the question which number is meant; until then the row has none.
    pub(super) async fn save_pending(
        &self,
        token: &AccessToken,
        grant: &Grant,
        waba_id: &str,
    ) -> Result<ConnectionId, Stop> {
        let begun = self.begun().await?.filter(|begun| begun.status == ConnectionStatus::Pending);
        let id =
            begun.as_ref().map_or_else(|| ConnectionId::from_uuid(self.state.ids.next()), |begun| begun.id);
        let connection = self.row(id, begun.as_ref(), waba_id, ConnectionStatus::Pending);
        let credential = self.credential(id, token, grant, waba_id).await?;
        self.write_rows(&connection, &credential).await?;
        Ok(id)
    }

    async fn write_rows(&self, connection: &Connection, credential: &Credential) -> Result<(), Stop> {
        let saved = self.state.store.save_connection(connection, Some(credential)).await;
        saved.map_err(|error| Stop::store(StepName::Connect, &error))
    }

    fn row(
        &self,
        id: ConnectionId,
        existing: Option<&Connection>,
        waba_id: &str,
        status: ConnectionStatus,
    ) -> Connection {
        let now = self.state.clock.now();
        Connection {
            id,
            business: self.business.key,
            business_reference: self.business.reference.clone(),
            account: self.business.account,
            partition: self.business.partition,
            provider: self.provider,
            status,
            reason: None,
            graph_id: None,
            waba_id: Some(waba_id.to_owned()),
            phone_number: None,
            verified_name: None,
            quality_rating: None,
            sending: Sending::default(),
            created_at: existing.map_or(now, |existing| existing.created_at),
            updated_at: now,
        }
    }

    async fn credential(
        &self,
        id: ConnectionId,
        token: &AccessToken,
        grant: &Grant,
        waba_id: &str,
    ) -> Result<Credential, Stop> {
        Ok(Credential {
            connection: id,
            waba_id: waba_id.to_owned(),
            phone_number_id: None,
            app_id: self.onboard.login_window().app_id,
            provider: self.provider,
            access_token: self.seal(id, column::ACCESS_TOKEN, token.expose_secret()).await?,
            pin: None,
            token_expires_at: grant.expires_at,
            scopes: grant.scopes.clone(),
        })
    }

    /// The PIN that we set before, or a new one: a number keeps its first.
    pub(super) async fn pin(&self, place: &Place) -> Result<Pin, Stop> {
        if let Some(sealed) = self.stored(place.id).await?.and_then(|credential| credential.pin) {
            return self.open(place.id, column::PIN, &sealed).await.map(|pin| Pin::new(pin.as_str()));
        }
        random_pin().map_err(|_| Stop::ours(StepName::Register, &SealError::NoRandomness))
    }

    /// The token of the connection that waits for the owner's choice.
    pub(super) async fn pending_token(&self) -> Result<(ConnectionId, AccessToken), Stop> {
        let missing = || Stop::at(StepName::ChooseNumber, Problem::Interrupted);
        let begun = self.begun().await?.ok_or_else(missing)?;
        let credential = self.stored(begun.id).await?.ok_or_else(missing)?;
        let token = self.open(begun.id, column::ACCESS_TOKEN, &credential.access_token).await?;
        Ok((begun.id, AccessToken::new(token.as_str())))
    }

    async fn stored(&self, id: ConnectionId) -> Result<Option<Credential>, Stop> {
        let credential = self.state.store.credential(id).await;
        credential.map_err(|error| Stop::store(StepName::Connect, &error))
    }

    async fn seal(&self, id: ConnectionId, column: &'static str, secret: &str) -> Result<Sealed, Stop> {
        let keychain = self.state.gateway.keychain();
        let sealed = keychain.seal(self.business.key, id.uuid(), column, secret.as_bytes()).await;
        sealed.map_err(|error| Stop::ours(StepName::Connect, &error))
    }

    async fn open(
        &self,
        id: ConnectionId,
        column: &'static str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, Stop> {
        let keychain = self.state.gateway.keychain();
        let opened = keychain.open(self.business.key, id.uuid(), column, sealed).await;
        let opened = opened.map_err(|error| Stop::ours(StepName::Connect, &error))?;
        let text = std::str::from_utf8(&opened).map_err(|error| Stop::ours(StepName::Connect, &error))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// A row that waited for a choice, or has another number, and was not needed in the end.
    pub(super) async fn abandon_others(&self, place: &Place) {
        let Some((id, status)) = place.left_over else { return };
        self.move_unfinished(id, status, ConnectionStatus::Disconnected, "abandoned").await;
    }

    /// Says on an unfinished connection what it waits for.
    pub(super) async fn explain_unfinished(&self, problem: Problem) {
        let Some(id) = self.session.connection else { return };
        let verifying = ConnectionStatus::Verifying;
        self.move_unfinished(id, verifying, verifying, problem.as_str()).await;
    }

    async fn move_unfinished(
        &self,
        id: ConnectionId,
        from: ConnectionStatus,
        to: ConnectionStatus,
        reason: &str,
    ) {
        let now = self.state.clock.now();
        if let Err(error) = self.state.store.move_connection(id, from, to, Some(reason), now).await {
            tracing::warn!(connection.id = %id, error = %Chain(&error), "an unfinished connection could not be marked");
        }
    }
}

/// A number of the phone app sends slower; one that left the app does no longer.
fn sending(number: &OfferedNumber, existing: Option<&Connection>) -> Sending {
    let known = existing.and_then(|existing| existing.sending.messages_per_second);
    let messages_per_second = if number.coexistence {
        Some(Sending::COEXISTENCE)
    } else {
        let left_the_app = |rate| if rate == Sending::COEXISTENCE { Sending::STANDARD } else { rate };
        number.messages_per_second.or(known.map(left_the_app))
    };
    Sending { messages_per_second, ..Sending::default() }
}

/// Six digits, each as likely as any other.
fn random_pin() -> Result<Pin, getrandom::Error> {
    loop {
        let number = getrandom::u32()?;
        // Beyond this the last digits would be a little less likely.
        if number < 4_294_000_000 {
            return Ok(Pin::new(format!("{:06}", number % 1_000_000)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_sends_as_fast_as_the_platform_says_when_it_is_connected() {
        let number = OfferedNumber {
            waba_id: "102".to_owned(),
            phone_number_id: "106".to_owned(),
            phone_number: None,
            verified_name: None,
            quality_rating: None,
            verified: true,
            registered: true,
            coexistence: false,
            messages_per_second: None,
        };
        let rate = |number: &OfferedNumber| sending(number, None).messages_per_second;
        assert_eq!(rate(&number), None);
        let raised = OfferedNumber { messages_per_second: Some(1_000), ..number };
        assert_eq!(rate(&raised), Some(1_000));
        assert_eq!(rate(&OfferedNumber { coexistence: true, ..raised }), Some(20));
    }

    #[test]
    fn a_pin_has_six_digits() {
        for _ in 0..100 {
            let pin = random_pin().unwrap();
            let text = pin.expose_secret();
            assert!(text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_digit()));
        }
    }
}
