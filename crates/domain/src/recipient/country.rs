//! Countries, their calling codes, and the numbering plans of the markets we serve.
//!
//! Two tables, both data: which calling codes the ITU has assigned (E.164, list of assigned country codes), and
//! how long national numbers are where a business may leave its country code out (the national numbering plans
//! that the member states file with the ITU). For every other country we know no more than that a number in
//! E.164 has 8 to 15 digits, and therefore take it only with its country code.
//!
//! A library with the metadata of the whole world is deliberately absent: `phonenumber` brings an unmaintained
//! dependency (RUSTSEC-2023-0089), and `rlibphonenumber` a protobuf compiler into every build. The tables here
//! are the place where one would go in.

/// ISO 3166-1 alpha-2 code of a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    pub const TANZANIA: Self = Self(*b"TZ");

    pub fn from_code(code: &str) -> Option<Self> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("TZ")
    }
}

/// How numbers are written inside a country. In none of these plans does a national number begin with 0, so a
/// leading 0 is always what one dials in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    country: Country,
    pub(super) name: &'static str,
    pub(super) calling_code: &'static str,
    /// Digits of a national number, without calling code and leading 0.
    pub(super) shortest: usize,
    pub(super) longest: usize,
    /// First digits of mobile numbers; empty where we do not tell them apart.
    mobile: &'static [u8],
}

const PLANS: [Plan; 9] = [
    plan(Country::TANZANIA, "Tanzania", "255", 9, 9, b"67"),
    plan(Country(*b"KE"), "Kenya", "254", 7, 9, b""),
    plan(Country(*b"UG"), "Uganda", "256", 9, 9, b""),
    plan(Country(*b"RW"), "Rwanda", "250", 9, 9, b""),
    plan(Country(*b"BI"), "Burundi", "257", 8, 8, b""),
    plan(Country(*b"CD"), "the Democratic Republic of the Congo", "243", 7, 9, b""),
    plan(Country(*b"ZM"), "Zambia", "260", 9, 9, b""),
    plan(Country(*b"MW"), "Malawi", "265", 7, 9, b""),
    plan(Country(*b"MZ"), "Mozambique", "258", 8, 9, b""),
];

const fn plan(
    country: Country,
    name: &'static str,
    calling_code: &'static str,
    shortest: usize,
    longest: usize,
    mobile: &'static [u8],
) -> Plan {
    Plan { country, name, calling_code, shortest, longest, mobile }
}

impl Plan {
    pub(super) fn of(country: Country) -> Option<&'static Self> {
        PLANS.iter().find(|plan| plan.country == country)
    }

    /// The plan that the digits of an international number fall under, and the national number.
    pub(super) fn split(digits: &str) -> Option<(&'static Self, &str)> {
        PLANS.iter().find_map(|plan| Some((plan, digits.strip_prefix(plan.calling_code)?)))
    }

    pub(super) fn fits(&self, national: &str) -> bool {
        (self.shortest..=self.longest).contains(&national.len()) && !national.starts_with('0')
    }

    /// Whether it certainly belongs to a line that is not mobile.
    pub(super) fn is_landline(&self, national: &str) -> bool {
        !self.mobile.is_empty() && !self.may_be_mobile(national)
    }

    pub(super) fn may_be_mobile(&self, national: &str) -> bool {
        national.bytes().next().is_some_and(|first| self.mobile.contains(&first))
    }
}

/// Assigned calling codes of two digits.
#[rustfmt::skip]
const TWO_DIGITS: [u16; 44] = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// Assigned calling codes of three digits, as inclusive ranges. Codes of free and of premium services are left
/// out: nobody receives a message there.
#[rustfmt::skip]
const THREE_DIGITS: [(u16, u16); 29] = [
    (211, 213), (216, 216), (218, 218), (220, 258), (260, 269), (290, 291), (297, 299), (350, 359), (370, 383),
    (385, 387), (389, 389), (420, 421), (423, 423), (500, 509), (590, 599), (670, 670), (672, 683), (685, 692),
    (850, 850), (852, 853), (855, 856), (870, 870), (880, 883), (886, 886), (960, 968), (970, 977), (992, 996),
    (998, 998), (878, 878),
];

/// How many digits of an international number its calling code takes, and how many digits the whole number may
/// have. `None` when no country has such a code. No code is the beginning of another.
pub(super) fn calling_code(digits: &str) -> Option<(usize, std::ops::RangeInclusive<usize>)> {
    let leading = |count: usize| digits.get(..count)?.parse::<u16>().ok();
    // North America and Russia with Kazakhstan: every number has ten digits after the code.
    if matches!(leading(1)?, 1 | 7) {
        return Some((1, 11..=11));
    }
    if TWO_DIGITS.contains(&leading(2)?) {
        return Some((2, 8..=15));
    }
    let three = leading(3)?;
    THREE_DIGITS.iter().any(|(first, last)| (*first..=*last).contains(&three)).then_some((3, 8..=15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_calling_code_is_the_beginning_of_another() {
        for (first, last) in THREE_DIGITS {
            for three in first..=last {
                assert!(!TWO_DIGITS.contains(&(three / 10)), "{three}");
                assert!(!matches!(three / 100, 1 | 7), "{three}");
            }
        }
        assert!(TWO_DIGITS.iter().all(|two| !matches!(two / 10, 1 | 7)));
    }

    #[test]
    fn every_market_has_an_assigned_calling_code() {
        for plan in PLANS {
            assert_eq!(
                calling_code(&format!("{}0000000", plan.calling_code)),
                Some((3, 8..=15)),
                "{}",
                plan.name
            );
        }
    }

    #[test]
    fn an_unassigned_code_is_not_known() {
        for digits in ["", "0", "2", "21", "21055512345", "25955512345", "99955512345", "80012345678"] {
            assert_eq!(calling_code(digits), None, "{digits}");
        }
    }
}
