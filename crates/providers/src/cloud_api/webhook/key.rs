//! What tells two pieces of news apart that have no id of their own.

use domain::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A key that is the same for the same news, however its members are ordered: a hash of the entry's id, the
/// field, the value and the entry's time.
pub(super) fn hash_key(entry: &str, field: &str, value: &Value, time: Option<Timestamp>) -> String {
    let mut hash = Sha256::new();
    text(&mut hash, entry);
    text(&mut hash, field);
    hash.update(time.map_or(0, Timestamp::as_micros).to_be_bytes());
    add(&mut hash, value);
    hex::encode(&hash.finalize()[..16])
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// Depth is bounded by the reader that made the value.
fn add(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(bool) => hash.update(if *bool { b"t" } else { b"f" }),
        Value::Number(number) => {
            hash.update(b"d");
            text(hash, &number.to_string());
        }
        Value::String(string) => {
            hash.update(b"s");
            text(hash, string);
        }
        Value::Array(list) => {
            hash.update(b"a");
            hash.update((list.len() as u64).to_be_bytes());
            for element in list {
                add(hash, element);
            }
        }
        Value::Object(object) => {
            // Sorted here, since serde_json keeps the order of arrival if another crate asks it to.
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            hash.update(b"o");
            hash.update((members.len() as u64).to_be_bytes());
            for (name, member) in members {
                text(hash, name);
                add(hash, member);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(entry: &str, field: &str, value: &str) -> String {
        hash_key(entry, field, &serde_json::from_str(value).unwrap(), None)
    }

    #[test]
    fn order_of_members_does_not_matter_and_everything_else_does() {
        let same = key("1", "f", r#"{"a":1,"b":[true,null]}"#);
        assert_eq!(same, key("1", "f", r#"{"b":[true,null],"a":1}"#));
        assert_eq!(same.len(), 32);
        for other in [
            key("2", "f", r#"{"a":1,"b":[true,null]}"#),
            key("1", "g", r#"{"a":1,"b":[true,null]}"#),
            key("1", "f", r#"{"a":1,"b":[null,true]}"#),
            key("1", "f", r#"{"a":"1","b":[true,null]}"#),
        ] {
            assert_ne!(same, other);
        }
        let time = Some(Timestamp::from_seconds(5));
        assert_ne!(hash_key("1", "f", &Value::Null, None), hash_key("1", "f", &Value::Null, time));
    }
}
