//! What an error code of the Cloud API asks for. The one table of codes; source: Meta's error code reference, September 2026.

/// What to do about an error, whichever HTTP status it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Passing trouble at the platform.
    Transient,
    /// The whole app calls too often.
    RateApp,
    /// The number, or its account, sends too fast.
    RateNumber,
    /// The number writes too often to this recipient.
    RatePair,
    /// The same may succeed after this many seconds, not before.
    Later(u32),
    /// The token is gone.
    Auth,
    /// The token lacks a permission, or the asset was taken away.
    Permission,
    /// The account cannot pay.
    Billing,
    /// The account or number is restricted by policy.
    Policy,
    /// The number is not ready; worth another look after this many seconds.
    Number(u32),
    /// This message is wrong.
    Message,
    /// This recipient cannot get it.
    Recipient,
    /// The template cannot be used.
    Template,
    /// Our request or set-up is wrong.
    Configuration,
}

/// Waits of Meta's own advice, in seconds.
const MAINTENANCE: u32 = 60;
const NOT_READY: u32 = 5 * 60;
const TEMPLATE_SYNC: u32 = 10 * 60;
const FLOW_THROTTLE: u32 = 60 * 60;

/// The class of a code; `None` for one that is not in the table.
///
/// Codes that Meta's table marks as worth one or two more tries before they count against the message
/// (131014, 131053, 135000) stand with the messages: a fetch of a file that failed is not the platform's trouble.
pub const fn class_of(code: i64, subcode: Option<i64>) -> Option<Class> {
    Some(match (code, subcode) {
        (100, Some(33)) | (33 | 10 | 200..=299 | 131_005, _) => Class::Permission,
        (0 | 102 | 104 | 190, _) => Class::Auth,
        (1 | 2 | 131_000 | 131_016 | 133_004 | 134_102 | 139_103, _) => Class::Transient,
        (4, _) => Class::RateApp,
        (613 | 80_007 | 130_429 | 131_208, _) => Class::RateNumber,
        (131_056, _) => Class::RatePair,
        (368 | 131_031 | 131_048 | 131_064, _) => Class::Policy,
        (131_042 | 131_044 | 134_011, _) => Class::Billing,
        (131_057 | 2_494_100, _) => Class::Number(MAINTENANCE),
        (131_037 | 131_045 | 133_010 | 133_015, _) => Class::Number(NOT_READY),
        (134_101, _) => Class::Later(TEMPLATE_SYNC),
        (132_069, _) => Class::Later(FLOW_THROTTLE),
        (132_001 | 132_007 | 132_015 | 132_016 | 132_068, _) => Class::Template,
        (1_026 | 130_403 | 130_472 | 130_497 | 131_026 | 131_049 | 131_050 | 137_000, _) => Class::Recipient,
        (3 | 100 | 131_008 | 131_009 | 131_030 | 131_055 | 131_059 | 131_063 | 134_100 | 1_752_041, _) => {
            Class::Configuration
        }
        (
            131_014
            | 131_020
            | 131_021
            | 131_041
            | 131_047
            | 131_051
            | 131_052
            | 131_053
            | 131_060
            | 131_062
            | 131_201..=131_215
            | 132_000
            | 132_005
            | 132_008
            | 132_012
            | 132_018
            | 135_000,
            _,
        ) => Class::Message,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_send_path_has_the_class_of_metas_table() {
        let table: &[(Class, &[i64])] = &[
            (Class::Auth, &[0, 102, 104, 190]),
            (Class::Permission, &[10, 33, 200, 250, 299, 131_005]),
            (Class::Transient, &[1, 2, 131_000, 131_016, 133_004, 134_102]),
            (Class::RateApp, &[4]),
            (Class::RateNumber, &[613, 80_007, 130_429, 131_208]),
            (Class::RatePair, &[131_056]),
            (Class::Policy, &[368, 131_031, 131_048, 131_064]),
            (Class::Billing, &[131_042, 131_044, 134_011]),
            (Class::Number(MAINTENANCE), &[131_057]),
            (Class::Number(NOT_READY), &[131_037, 131_045, 133_010]),
            (Class::Later(TEMPLATE_SYNC), &[134_101]),
            (Class::Later(FLOW_THROTTLE), &[132_069]),
            (Class::Template, &[132_001, 132_007, 132_015, 132_016, 132_068]),
            (Class::Recipient, &[1_026, 130_403, 130_472, 130_497, 131_026, 131_049, 131_050, 137_000]),
            (
                Class::Configuration,
                &[3, 100, 131_008, 131_009, 131_030, 131_055, 131_059, 131_063, 134_100, 1_752_041],
            ),
            (
                Class::Message,
                &[
                    131_014, 131_020, 131_021, 131_041, 131_047, 131_051, 131_052, 131_053, 131_060, 131_062,
                    131_201, 131_202, 131_204, 131_207, 131_209, 131_210, 131_211, 131_212, 131_213, 131_214,
                    131_215, 132_000, 132_005, 132_008, 132_012, 132_018, 135_000,
                ],
            ),
        ];
        for (class, codes) in table {
            for code in *codes {
                assert_eq!(class_of(*code, None), Some(*class), "code {code}");
            }
        }
    }

    #[test]
    fn an_object_that_the_token_cannot_see_is_a_permission_and_an_unknown_code_is_unknown() {
        assert_eq!(class_of(100, Some(33)), Some(Class::Permission));
        assert_eq!(class_of(999_999, None), None);
    }
}
