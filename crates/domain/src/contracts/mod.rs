//! What the gateway asks of the world outside its rules. Adapters implement these; actors know nothing else.

pub mod api_keys;
pub mod contacts;
pub mod coordination;
pub mod dead_letters;
pub mod deliver;
pub mod deliveries;
pub mod leases;
pub mod media;
pub mod media_rows;
pub mod pass_through;
pub mod portfolios;
pub mod provider;
pub mod provider_media;
pub mod queue;
pub mod retention;
pub mod stats;
pub mod store;
pub mod templates;
