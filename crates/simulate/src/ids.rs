//! Record ids in the vendors' shapes.

use crate::rng::{Purpose, Rng};
use rand::RngCore;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A Salesforce id of 18 characters: key prefix (`001` is Account), instance, number, and the three characters that
/// let the id survive programs that ignore case.
pub(crate) fn salesforce(prefix: &str, number: u64) -> String {
    let mut id = Vec::with_capacity(18);
    id.extend_from_slice(prefix.as_bytes());
    id.extend_from_slice(b"gL0");
    let mut digits = [b'0'; 9];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    id.extend_from_slice(&digits);
    for chunk in 0..3 {
        let mut bits = 0usize;
        for (i, byte) in id[chunk * 5..chunk * 5 + 5].iter().enumerate() {
            if byte.is_ascii_uppercase() {
                bits |= 1 << i;
            }
        }
        id.push(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]);
    }
    String::from_utf8_lossy(&id).into_owned()
}

/// A Stripe id: a prefix such as `cus_` and 14 characters that tell nothing.
pub(crate) fn stripe(prefix: &str, seed: u64, a: u64, b: u64) -> String {
    let mut rng = Rng::new(seed, Purpose::Id, a.wrapping_mul(31).wrapping_add(prefix.len() as u64), b);
    let mut id = String::with_capacity(prefix.len() + 14);
    id.push_str(prefix);
    for _ in 0..14 {
        id.push(BASE62[(rng.next_u64() % 62) as usize] as char);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salesforce_ids_have_18_characters_and_their_checksum() {
        assert_eq!(salesforce("001", 0), "001gL0000000000AAA".replace("AAA", &salesforce("001", 0)[15..]));
        let id = salesforce("001", 123_456);
        assert_eq!(id.len(), 18);
        // Upper-case letters in positions 1 to 5 set bits: "001gL" has its fifth one upper case: 16 = 'Q'.
        assert_eq!(&id[15..16], "Q");
    }

    #[test]
    fn stripe_ids_differ_by_prefix_and_number() {
        assert_ne!(stripe("cus_", 1, 5, 0)[4..], stripe("sub_", 1, 6, 0)[4..]);
        assert_ne!(stripe("in_", 1, 5, 0), stripe("in_", 1, 5, 1));
    }
}
