//! What may happen to bytes on their way here, in steps that can be shrunk to the one that matters.

use proptest::prelude::*;
use proptest::sample::Index;

/// Pieces of JSON, of signatures and of ids that readers have stumbled over elsewhere.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e5",
    "-0.0",
    "1e999",
    "18446744073709551616",
    "\\ud83d",
    "\\ude00",
    "\\u0000",
    "\u{feff}",
    "\u{2028}",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":",
    "\"id\":null",
    "\"changes\":{}",
    "\"messages\":7",
    "\"to\":\"+255712345678\"",
    "\"type\":\"template\"",
    "sha256=",
    "wamid.",
    "v1.",
    "msg_",
    "+",
    "@",
    "=",
    "%00",
    " ",
];

#[derive(Debug, Clone)]
pub(super) enum Step {
    FlipBit {
        at: Index,
        bit: u8,
    },
    Put {
        at: Index,
        byte: u8,
    },
    Insert {
        at: Index,
        piece: &'static str,
    },
    Truncate {
        at: Index,
    },
    Cut {
        at: Index,
        length: usize,
    },
    Repeat {
        at: Index,
        length: usize,
        times: usize,
    },
    /// A part of another entry of the corpus.
    Splice {
        at: Index,
        other: Index,
        from: Index,
        length: usize,
    },
    /// A member of an object, or an element of a list, stands there twice.
    Twice {
        which: Index,
    },
    /// A member or an element is gone.
    Without {
        which: Index,
    },
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = any::<Index>;
    let step = prop_oneof![
        (at(), 0_u8..8).prop_map(|(at, bit)| Step::FlipBit { at, bit }),
        (at(), any::<u8>()).prop_map(|(at, byte)| Step::Put { at, byte }),
        (at(), proptest::sample::select(PIECES)).prop_map(|(at, piece)| Step::Insert { at, piece }),
        at().prop_map(|at| Step::Truncate { at }),
        (at(), 1_usize..40).prop_map(|(at, length)| Step::Cut { at, length }),
        (at(), 1_usize..40, 1_usize..200).prop_map(|(at, length, times)| Step::Repeat { at, length, times }),
        (at(), at(), at(), 1_usize..200).prop_map(|(at, other, from, length)| Step::Splice {
            at,
            other,
            from,
            length
        }),
        at().prop_map(|which| Step::Twice { which }),
        at().prop_map(|which| Step::Without { which }),
    ];
    proptest::collection::vec(step, 0..6)
}

impl Step {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        match self {
            Self::Insert { at, piece } => insert(bytes, *at, piece.as_bytes()),
            Self::Splice { at, other, from, length } => {
                let other = other.get(corpus);
                let start = from.index(other.len() + 1);
                insert(bytes, *at, &other[start..other.len().min(start + length)]);
            }
            Self::Twice { which } => {
                if let Some((from, to)) = part(bytes, *which) {
                    let mut again = bytes[from..to].to_vec();
                    again.push(b',');
                    bytes.splice(from..from, again);
                }
            }
            Self::Without { which } => {
                if let Some((from, to)) = part(bytes, *which) {
                    let comma = bytes.get(to) == Some(&b',');
                    bytes.drain(from..to + usize::from(comma));
                }
            }
            _ if bytes.is_empty() => {}
            Self::FlipBit { at, bit } => *at.get_mut(bytes) ^= 1 << bit,
            Self::Put { at, byte } => *at.get_mut(bytes) = *byte,
            Self::Truncate { at } => bytes.truncate(at.index(bytes.len())),
            Self::Cut { at, length } => {
                let from = at.index(bytes.len());
                bytes.drain(from..bytes.len().min(from + length));
            }
            Self::Repeat { at, length, times } => {
                let from = at.index(bytes.len());
                let to = bytes.len().min(from + length);
                let again = bytes[from..to].repeat(*times);
                bytes.splice(from..from, again);
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: Index, piece: &[u8]) {
    let at = at.index(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied());
}

/// One of the members and elements: what stands between brackets and commas.
fn part(bytes: &[u8], which: Index) -> Option<(usize, usize)> {
    let opens = |at: &usize| matches!(bytes[*at], b'{' | b'[' | b',');
    let starts: Vec<usize> = (0..bytes.len()).filter(opens).map(|at| at + 1).collect();
    let from = *starts.get(which.index(starts.len().max(1)))?;
    let (mut depth, mut text, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            _ if text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some((from, at)),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    None
}
