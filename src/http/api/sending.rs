//! How a number sends: as the API shows it, and the pace that its owner may ask for.

use domain::connection::{Pace, Reason};
use domain::{Connection, FieldError, Timestamp};
use gateway_actors::Sight;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::views::ConnectionView;
use crate::http::error::Problem;
use crate::http::state::AppState;

const FASTEST_PACE: u32 = 60_000;

/// A slower pace than the platform allows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pace)]
pub struct PaceView {
    /// Messages a minute.
    #[schema(minimum = 1, maximum = 60_000)]
    per_minute: u32,
    /// By how much each wait may be shorter or longer, from 0 to 1.
    #[serde(default)]
    #[schema(minimum = 0.0, maximum = 1.0)]
    jitter: f64,
}

impl From<Pace> for PaceView {
    fn from(pace: Pace) -> Self {
        Self { per_minute: pace.per_minute, jitter: f64::from(pace.jitter_percent) / 100.0 }
    }
}

impl PaceView {
    fn checked(self) -> Result<Pace, Problem> {
        let mut errors = Vec::new();
        if !(1..=FASTEST_PACE).contains(&self.per_minute) {
            let message = format!("per_minute must be 1 to {FASTEST_PACE}");
            errors.push(FieldError::new("pace.per_minute", "out_of_range", message));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            let message = "jitter must be 0 to 1".to_owned();
            errors.push(FieldError::new("pace.jitter", "out_of_range", message));
        }
        if !errors.is_empty() {
            return Err(Problem::fields(errors));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
        let jitter_percent = (self.jitter * 100.0).round() as u8;
        Ok(Pace { per_minute: self.per_minute, jitter_percent })
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionChange {
    /// Null takes the pace away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PaceView>)]
    #[expect(clippy::option_option, reason = "absent, null and given are three things")]
    pace: Option<Option<PaceView>>,
}

/// Tells a member that is null from one that is not there.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl ConnectionChange {
    /// The pace that is asked for; nothing when nothing is said about it.
    #[expect(clippy::option_option, reason = "absent, null and given are three things")]
    pub fn pace(&self) -> Result<Option<Option<Pace>>, Problem> {
        self.pace.map(|pace| pace.map(PaceView::checked).transpose()).transpose()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sending)]
pub struct SendingView {
    /// Messages a second, in and out, that the number may send now. Less than the platform allows for a while after
    /// it complained.
    messages_per_second: u32,
    pace: Option<PaceView>,
    /// Messages that wait for their turn, or for their time.
    waiting: u64,
    /// Posts under way.
    in_flight: usize,
    /// Messages whose outcome is not known.
    ambiguous: usize,
    /// Nothing is sent before. Of a suspended number: when one message tries whether it may send again.
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_until: Option<Timestamp>,
}

/// A connection and how it sends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionDetail)]
pub struct ConnectionDetail {
    #[serde(flatten)]
    connection: ConnectionView,
    /// What the reason asks for, in words.
    remedy: Option<&'static str>,
    sending: SendingView,
}

impl ConnectionDetail {
    pub async fn of(state: &AppState, connection: Connection) -> Result<Self, Problem> {
        let Sight { messages_per_second, waiting, in_flight, unknown, paused_until } =
            state.gateway.sight(&connection).await?;
        Ok(Self {
            remedy: connection.reason.as_deref().and_then(Reason::remedy),
            sending: SendingView {
                messages_per_second,
                pace: connection.sending.pace.map(PaceView::from),
                waiting,
                in_flight,
                ambiguous: unknown,
                paused_until,
            },
            connection: ConnectionView::from(connection),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::option_option, reason = "absent, null and given are three things")]
    fn pace(json: &str) -> Result<Option<Option<Pace>>, Problem> {
        serde_json::from_str::<ConnectionChange>(json).unwrap().pace()
    }

    #[test]
    fn a_pace_is_set_taken_away_or_left_alone() {
        let slow = Pace { per_minute: 20, jitter_percent: 30 };
        assert_eq!(pace(r#"{"pace":{"per_minute":20,"jitter":0.3}}"#), Ok(Some(Some(slow))));
        assert_eq!(pace(r#"{"pace":null}"#), Ok(Some(None)));
        assert_eq!(pace("{}"), Ok(None));
    }

    #[test]
    fn a_pace_that_makes_no_sense_is_refused() {
        for wrong in [
            r#"{"pace":{"per_minute":0}}"#,
            r#"{"pace":{"per_minute":99999}}"#,
            r#"{"pace":{"per_minute":9,"jitter":2}}"#,
        ] {
            assert!(pace(wrong).is_err(), "{wrong}");
        }
    }
}
