//! What callers send: JSON first, then the rules of the platform.

use domain::recipient::Country;
use proptest::prelude::*;
use providers::cloud_api::{Options, prepare};
use serde_json::{Map, Value};

use super::Claim;

pub(super) fn claim(body: &[u8]) -> Claim {
    let Ok(message) = serde_json::from_slice::<Map<String, Value>>(body) else { return Ok(false) };
    for allow_unknown in [false, true] {
        one(&message, Options { allow_unknown })?;
    }
    Ok(true)
}

fn one(message: &Map<String, Value>, options: Options) -> Result<(), TestCaseError> {
    let prepared = match prepare(message.clone(), Country::TANZANIA, options) {
        Ok(prepared) => prepared,
        Err(errors) => {
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.iter().all(|error| !error.field.is_empty() && !error.message.is_empty()));
            return Ok(());
        }
    };
    let kept: Map<String, Value> = serde_json::from_str(&prepared.json).expect("an object");
    for (name, value) in &kept {
        let ours = matches!(name.as_str(), "to" | "recipient" | "type");
        prop_assert!(ours || message.get(name) == Some(value), "{name} was changed");
    }
    let again = prepare(kept, Country::TANZANIA, options);
    let again =
        again.map_err(|errors| TestCaseError::fail(format!("refused the second time: {errors:?}")))?;
    prop_assert_eq!(again.json, prepared.json);
    prop_assert_eq!(again.recipient, prepared.recipient);
    Ok(())
}
