//! The vocabulary of the gateway and the contracts between its parts. No I/O happens here.
//!
//! Everything else depends on this crate and it depends on nothing of ours, so that a rule written here
//! can be tested in microseconds and an adapter can be replaced without touching a rule.

pub mod business;
pub mod clock;
pub mod connection;
pub mod contact;
pub mod contracts;
pub mod delivery_status;
pub mod endpoint;
pub mod event;
pub mod field_error;
pub mod ids;
pub mod media;
pub mod message;
pub mod news;
pub mod onboarding;
pub mod outbox;
pub mod partition;
pub mod recipient;
pub mod secret;
pub mod template;
pub mod unechoed;

pub use business::Business;
pub use clock::{Clock, Timestamp};
pub use connection::{Connection, ConnectionStatus, ProviderName, Transport};
pub use delivery_status::DeliveryStatus;
pub use field_error::FieldError;
pub use ids::{
    ApiKeyId, BusinessKey, BusinessRef, ConnectionId, EndpointId, EventId, Ids, MediaId, MessageId,
    OnboardingSessionId,
};
pub use message::{MessageStatus, Priority};
pub use partition::{Epoch, Incarnation, Partition};
pub use secret::{AccessToken, ExposeSecret, Pin, Sealed};
