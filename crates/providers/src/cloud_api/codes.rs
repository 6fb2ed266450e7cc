//! Every error code of the Cloud API that is known, with its class. Source: Meta's error code reference, registration
//! and management pages, September 2026. `docs/DELIVERY.md` tells an operator about each of them.

use super::class::Class;

/// One code, or a range of them that mean the same.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub first: i64,
    pub last: i64,
    /// Only with this subcode, where one is named.
    pub subcode: Option<i64>,
    pub class: Class,
}

impl Row {
    pub(super) fn is_about(&self, code: i64, subcode: Option<i64>) -> bool {
        (self.first..=self.last).contains(&code) && self.subcode == subcode
    }
}

const fn one(code: i64, class: Class) -> Row {
    span(code, code, class)
}

const fn span(first: i64, last: i64, class: Class) -> Row {
    Row { first, last, subcode: None, class }
}

/// Waits of Meta's own advice, in seconds.
const MAINTENANCE: u32 = 60;
const DELETION_UNFINISHED: u32 = 5 * 60;
const TEMPLATE_SYNC: u32 = 10 * 60;
const FLOW_THROTTLE: u32 = 60 * 60;

#[rustfmt::skip]
pub const CODES: &[Row] = &[
    // General codes of the Graph API.
    one(0, Class::Auth),
    one(1, Class::Tries(3)),
    one(2, Class::Transient),
    one(3, Class::Configuration),
    one(4, Class::RateApp),
    one(10, Class::Permission),
    one(33, Class::Permission),
    Row { first: 100, last: 100, subcode: Some(33), class: Class::Permission },
    one(100, Class::Configuration),
    one(102, Class::Auth),
    one(104, Class::Auth),
    one(190, Class::Auth),
    span(200, 299, Class::Permission),
    one(368, Class::Policy),
    one(613, Class::RateNumber),
    one(1_026, Class::Recipient),
    one(80_007, Class::RateWaba),
    // Sending.
    one(130_403, Class::Recipient),
    one(130_429, Class::RateNumber),
    one(130_472, Class::RecipientForNow),
    one(130_497, Class::Recipient),
    one(131_000, Class::Tries(3)),
    one(131_005, Class::Permission),
    one(131_008, Class::Configuration),
    one(131_009, Class::Configuration),
    one(131_014, Class::Tries(2)),
    one(131_016, Class::Transient),
    one(131_020, Class::Message),
    one(131_021, Class::Message),
    one(131_026, Class::Recipient),
    one(131_030, Class::Configuration),
    one(131_031, Class::Policy),
    one(131_037, Class::Number(None)),
    one(131_041, Class::Message),
    one(131_042, Class::Billing),
    one(131_044, Class::Billing),
    one(131_045, Class::Number(None)),
    one(131_047, Class::Message),
    one(131_048, Class::Policy),
    one(131_049, Class::RecipientForNow),
    one(131_050, Class::Recipient),
    one(131_051, Class::Message),
    one(131_052, Class::Message),
    one(131_053, Class::Tries(3)),
    one(131_055, Class::Configuration),
    one(131_056, Class::RatePair),
    one(131_057, Class::Number(Some(MAINTENANCE))),
    one(131_059, Class::Configuration),
    one(131_060, Class::Message),
    one(131_062, Class::Message),
    one(131_063, Class::Configuration),
    one(131_064, Class::Policy),
    span(131_201, 131_207, Class::Message),
    one(131_208, Class::RateNumber),
    span(131_209, 131_215, Class::Message),
    // Templates, as sending meets them.
    one(132_000, Class::Message),
    one(132_001, Class::Template),
    one(132_005, Class::Message),
    one(132_007, Class::Template),
    one(132_008, Class::Message),
    one(132_012, Class::Message),
    one(132_015, Class::Template),
    one(132_016, Class::Template),
    one(132_018, Class::Message),
    one(132_068, Class::Template),
    one(132_069, Class::Later(FLOW_THROTTLE)),
    // Numbers and accounts.
    one(133_000, Class::Management),
    one(133_004, Class::Transient),
    one(133_005, Class::Management),
    one(133_006, Class::Number(None)),
    one(133_008, Class::Management),
    one(133_009, Class::Management),
    one(133_010, Class::Number(None)),
    one(133_015, Class::Number(Some(DELETION_UNFINISHED))),
    one(133_016, Class::Management),
    one(134_011, Class::Billing),
    one(134_100, Class::Configuration),
    one(134_101, Class::Later(TEMPLATE_SYNC)),
    one(134_102, Class::Transient),
    one(135_000, Class::Tries(2)),
    one(137_000, Class::Recipient),
    one(1_752_041, Class::Configuration),
    one(2_388_012, Class::Management),
    one(2_388_091, Class::Management),
    one(2_388_093, Class::Management),
    one(2_388_103, Class::Management),
    one(2_494_100, Class::Number(Some(MAINTENANCE))),
    span(2_593_107, 2_593_109, Class::Management),
    // Calls, flows, block lists, user names, insights: nothing that sends a message.
    span(138_000, 138_018, Class::Management),
    span(139_000, 139_004, Class::Management),
    span(139_100, 139_102, Class::Management),
    one(139_103, Class::Transient),
    span(147_001, 147_005, Class::Management),
    span(200_005, 200_007, Class::Management),
    // Template management and signup links.
    one(2_388_019, Class::Management),
    span(2_388_039, 2_388_040, Class::Management),
    one(2_388_047, Class::Management),
    span(2_388_072, 2_388_073, Class::Management),
    one(2_388_293, Class::Management),
    one(2_388_299, Class::Management),
    span(2_494_164, 2_494_179, Class::Management),
    // Subcodes beside a code that says less.
    span(1_349_174, 1_349_176, Class::Permission),
    one(2_446_079, Class::RateApp),
    one(2_494_055, Class::RateNumber),
    one(2_494_071, Class::RatePair),
];

#[cfg(test)]
mod tests;
