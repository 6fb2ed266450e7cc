//! `?fields=`: which members of an object the caller wants.

use super::call::Call;
use super::error::GraphError;
use serde_json::{Map, Value};

/// `id` is always there. `all` holds every member the object has.
pub(super) fn select(call: &Call, all: &Value, default: &[&str], node: &str) -> Result<Value, GraphError> {
    let asked = call.param("fields").filter(|fields| !fields.trim().is_empty());
    let names: Vec<&str> = match &asked {
        Some(fields) => split(fields),
        None => default.to_vec(),
    };
    let mut chosen = Map::new();
    for name in names {
        let Some(value) = all.get(name) else {
            return Err(GraphError::parameter(format!(
                "Tried accessing nonexisting field ({name}) on node type ({node})"
            )));
        };
        if !value.is_null() {
            chosen.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(id) = all.get("id") {
        chosen.insert("id".to_owned(), id.clone());
    }
    Ok(Value::Object(chosen))
}

/// Commas inside braces belong to a nested selection, which is not looked into: the whole member is given.
fn split(fields: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = fields.split(|c: char| {
        depth += i32::from(c == '{' || c == '(') - i32::from(c == '}' || c == ')');
        c == ',' && depth == 0
    });
    parts
        .map(|part| part.split(['{', '.', '(']).next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_selections_are_cut_down_to_their_member() {
        assert_eq!(split("id, name,throughput{level,x},a.limit(3)"), ["id", "name", "throughput", "a"]);
    }
}
