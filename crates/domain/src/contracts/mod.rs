//! What the gateway asks of the world outside its rules. Adapters implement these; actors know nothing else.

pub mod coordination;
pub mod deliver;
pub mod provider;
pub mod store;
