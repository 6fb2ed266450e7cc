//! Businesses with numbers, connected as their owners would, and the people they write to.

use serde_json::json;

use super::World;
use crate::support::api::Api;
use crate::support::eventually;
use crate::support::owner::Owner;

/// One business with two numbers, two with one each.
pub(super) const BUSINESSES: [(&str, usize); 3] = [("duka-la-asha", 2), ("kliniki", 1), ("shule", 1)];
const RECIPIENTS: usize = 9;
/// Of a whole lane: whether a one-time code may overtake within a lane is not what is asked here.
const PRIORITIES: [Option<&str>; 6] = [None, Some("high"), None, Some("otp"), None, Some("bulk")];

#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub(crate) business: String,
    pub(crate) connection: String,
    pub(crate) phone_number_id: String,
}

/// One number and one person.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) index: usize,
    pub(crate) number: Number,
    pub(crate) to: String,
    pub(crate) priority: Option<&'static str>,
    /// How strictly its messages ask for their order; nothing leaves it to the gateway.
    pub(crate) order: Option<&'static str>,
}

pub(super) async fn make_businesses(api: &Api) {
    for (business, _) in BUSINESSES {
        api.post("/v1/businesses", &json!({ "id": business })).await.expect(201);
    }
}

pub(super) async fn connect_all(world: &World) -> Vec<Number> {
    let mut numbers = Vec::new();
    for (business, count) in BUSINESSES {
        for _ in 0..count {
            Owner::invited(world, business).await.connects().await;
        }
        numbers.extend(connected(&world.api(), business, count).await);
    }
    numbers
}

async fn connected(api: &Api, business: &str, count: usize) -> Vec<Number> {
    eventually("the numbers are connected", super::PATIENCE, || async {
        let list = api.get(&format!("/v1/connections?business_id={business}")).await.expect(200);
        let rows = list["data"].as_array().cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let numbers: Vec<Number> = rows
            .iter()
            .filter(|row| row["status"] == "connected")
            .map(|row| Number {
                business: business.to_owned(),
                connection: text(&row["id"]),
                phone_number_id: text(&row["phone_number_id"]),
            })
            .collect();
        if numbers.len() == count { Ok(numbers) } else { Err(list.to_string()) }
    })
    .await
}

pub(super) fn lanes(numbers: &[Number], order: Option<&'static str>) -> Vec<Lane> {
    let each = numbers.iter().flat_map(|number| (0..RECIPIENTS).map(move |person| (number, person)));
    each.enumerate()
        .map(|(index, (number, person))| Lane {
            index,
            number: number.clone(),
            // Some people hear from several numbers.
            to: format!("+25571230{:04}", person + 100 * (index % 2)),
            priority: PRIORITIES[index % PRIORITIES.len()],
            order,
        })
        .collect()
}
