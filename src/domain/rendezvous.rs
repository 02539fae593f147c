//! Which database a slot is given to while nobody owns it: highest random weight
//! (Thaler and Ravishankar, 1998), so that another database takes slots from all alike.

use sha2::{Digest, Sha256};

/// The label that wins the slot. `None` where there are no labels.
pub fn owner(slot: u8, labels: &[String]) -> Option<&str> {
    labels.iter().map(String::as_str).max_by_key(|label| weight(slot, label))
}

fn weight(slot: u8, label: &str) -> [u8; 32] {
    Sha256::new().chain_update([slot]).chain_update(label.as_bytes()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_label_takes_slots_only_for_itself() {
        let two = ["a".to_owned(), "b".to_owned()];
        let three = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let mut moved = 0;
        for slot in 0..=255 {
            let (before, after) = (owner(slot, &two), owner(slot, &three));
            if before != after {
                assert_eq!(after, Some("c"));
                moved += 1;
            }
        }
        assert!((50..120).contains(&moved), "{moved} of 256");
    }
}
