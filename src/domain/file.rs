//! Files of a room (docs/protocol.md, "Files"): what names them, their parts, and which bytes of a part are asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::id::lower_hex;

/// Bytes that a part may have: 16 sealed chunks of 16 KiB, and the 56 with which the first one begins.
pub const PART_MAX_BYTES: usize = 16 * (CHUNK_BYTES + TAG_BYTES) + HEADER_BYTES;
/// The largest number that a part may have, whatever a server's limits are.
const PART_MAX: i64 = 1_000_000;
/// Files that a message may have.
const FILES_MAX: usize = 10;

/// C2SP chunked-encryption: a chunk's bytes, what sealing adds to it, and salt and commitment before the first one.
const CHUNK_BYTES: usize = 16 << 10;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 56;

/// A file's id: 16 random bytes, in 32 lowercase hex characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileId([u8; 16]);

impl FileId {
    /// # Errors
    /// `FileNotFound` for anything else: a malformed id is an unknown one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        lower_hex(text).map(Self).ok_or(Error::FileNotFound)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// The number of a part, from 0, in decimal without leading zeros.
///
/// # Errors
/// `FileNotFound` for anything else: there is one address for a part.
pub fn part(text: &str) -> Result<i64, Error> {
    text.parse()
        .ok()
        .filter(|part| (0..=PART_MAX).contains(part) && part.to_string() == text)
        .ok_or(Error::FileNotFound)
}

/// How many bytes a file may have when it is sealed, and the last part that one of `max_bytes` has: a file whose length
/// is a multiple of a chunk ends with an empty one.
pub fn sealed_limits(max_bytes: i64) -> (i64, i64) {
    let chunks = max_bytes / CHUNK_BYTES as i64 + 1;
    (max_bytes + chunks * TAG_BYTES as i64 + HEADER_BYTES as i64, (chunks - 1) / 16)
}

/// A file of a message, and how many parts it has, so that no message is stored whose files are not whole.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NamedFile {
    pub id: String,
    pub parts: i64,
}

/// A message's files as they are stored; `None`: it has none.
///
/// # Errors
/// `InvalidRequest`: too many, the same one twice, or not of the form.
pub(crate) fn named(files: Option<Vec<NamedFile>>) -> Result<Option<String>, Error> {
    let Some(files) = files.filter(|files| !files.is_empty()) else { return Ok(None) };
    if files.len() > FILES_MAX {
        return Err(Error::invalid(format!("A message may have {FILES_MAX} files.")));
    }
    for (index, file) in files.iter().enumerate() {
        if lower_hex::<16>(&file.id).is_none() {
            return Err(Error::invalid("A file's id has 32 lowercase hex characters."));
        }
        if !(1..=PART_MAX + 1).contains(&file.parts) {
            return Err(Error::invalid("A file has at least one part, and parts says how many."));
        }
        if files[..index].iter().any(|other| other.id == file.id) {
            return Err(Error::invalid("Name each file once."));
        }
    }
    Ok(Some(serde_json::to_string(&files).expect("names are plain data")))
}

/// Which bytes are asked for (RFC 9110, section 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    All,
    /// From this one on, as many as that.
    From(i64, i64),
    Last(i64),
}

/// As far as a range may reach; no part has so many bytes, and SQLite's older versions count in 32 bits.
const FAR: i64 = 1 << 30;

impl Range {
    /// Reads the header. A range of another unit, several ranges and what is none are passed over, as the RFC allows:
    /// then all of the part is sent.
    pub fn parse(header: Option<&str>) -> Self {
        header.and_then(|text| Self::read(text.trim())).unwrap_or(Self::All)
    }

    fn read(text: &str) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| -> Option<i64> {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().unwrap_or(FAR).min(FAR))
        };
        match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => Some(Self::From(number(first)?, FAR)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then(|| Self::From(first, last - first + 1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_number() {
        assert_eq!(part("0").expect("the first one"), 0);
        assert_eq!(part("100").expect("a later one"), 100);
        for wrong in ["", "-1", "+1", "01", "1.0", "x", "1000001", "99999999999999999999"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_the_largest_size_ends_with_an_empty_chunk() {
        assert_eq!(sealed_limits(26_214_400), (26_240_072, 100));
        assert_eq!(sealed_limits(16_383), (16_383 + 16 + 56, 0));
        assert_eq!(sealed_limits(16 * 16_384), (16 * 16_384 + 17 * 16 + 56, 1));
    }

    #[test]
    fn a_range_is_read_or_passed_over() {
        for (text, range) in [
            ("bytes=0-0", Range::From(0, 1)),
            ("Bytes=56-16455", Range::From(56, 16_400)),
            ("bytes=7-", Range::From(7, FAR)),
            ("bytes=-16", Range::Last(16)),
            ("bytes=0-99999999999999999999", Range::From(0, FAR + 1)),
            ("bytes=5-4", Range::All),
            ("bytes=0-1,3-4", Range::All),
            ("bytes=-", Range::All),
            ("bytes=x-1", Range::All),
            ("chunks=0-1", Range::All),
            ("bytes", Range::All),
        ] {
            assert_eq!(Range::parse(Some(text)), range, "{text}");
        }
        assert_eq!(Range::parse(None), Range::All);
    }

    #[test]
    fn a_message_names_few_files_each_once() {
        let file = |id: &str, parts| NamedFile { id: id.repeat(16), parts };
        assert_eq!(named(None).expect("none"), None);
        assert_eq!(named(Some(vec![])).expect("none"), None);
        let text = named(Some(vec![file("0a", 3)])).expect("one").expect("it is named");
        assert_eq!(text, format!(r#"[{{"id":"{}","parts":3}}]"#, "0a".repeat(16)));
        for wrong in [
            vec![file("0A", 1)],
            vec![file("0", 1)],
            vec![file("0a", 0)],
            vec![file("0a", 1), file("0a", 2)],
            (0..11).map(|number| file(&format!("{number:02x}"), 1)).collect(),
        ] {
            assert!(named(Some(wrong)).is_err());
        }
    }
}
