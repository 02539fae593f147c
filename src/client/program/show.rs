//! How things are printed: plain lines for people, one JSON object a line for programs. What others wrote must not
//! steer a terminal.

use buddy_client::content::Content;
use buddy_client::log::{Alarm, Code, Entry, Log};
use buddy_client::room::OwnedLink;
use serde_json::{Value, json};

/// An entry of the log as programs read it.
pub(crate) fn entry_json(log: &Log, entry: &Entry) -> Value {
    let content = entry.content.as_ref().filter(|_| entry.believed);
    json!({
        "seq": entry.event.seq,
        "kind": entry.event.kind,
        "client_id": entry.event.client_id,
        "author": entry.event.author,
        "signer": entry.signer,
        "name": name_of(log, entry),
        "target": entry.event.target,
        "text": content.and_then(|content| content.text.clone()),
        "files": content.and_then(|content| content.files.as_ref()).map(|files| {
            files.iter().map(|file| json!({ "name": file.name, "type": file.media_type, "size": file.size })).collect::<Value>()
        }),
        "emoji": content.and_then(|content| content.emoji.clone()),
        "on": content.and_then(|content| content.on),
        "sent_at_ms": entry.event.sent_at_ms,
        "erased": entry.event.erased.is_some(),
        "believed": entry.believed,
    })
}

/// An entry of the log as people read it; none for what does not show by itself.
pub(crate) fn entry_text(log: &Log, entry: &Entry) -> Option<String> {
    let seq = entry.event.seq;
    let name = name_of(log, entry).unwrap_or_else(|| "somebody".to_owned());
    let target = entry.event.target.unwrap_or_default();
    let content = entry.content.as_ref();
    let text = || content.and_then(|content| content.text.as_deref()).map(harmless).unwrap_or_default();
    let line = match entry.event.kind.as_str() {
        "message" if entry.event.erased.is_some() => format!("{seq} (deleted)"),
        _ if !entry.believed && entry.event.kind != "rotate" => return None,
        "message" => format!("{seq} {}: {}{}", harmless(&name), text(), content.map(files).unwrap_or_default()),
        "edit" => format!("{seq} {} edited {target}: {}", harmless(&name), text()),
        "delete" => format!("{seq} {} deleted {target}", harmless(&name)),
        "react" => {
            let emoji = content.and_then(|content| content.emoji.as_deref()).map(harmless).unwrap_or_default();
            let takes_back = content.and_then(|content| content.on) == Some(false);
            let verb = if takes_back { "took back" } else { "reacted" };
            format!("{seq} {} {verb} {emoji} on {target}", harmless(&name))
        }
        "card" => format!("{seq} {} joined", harmless(&name)),
        "change" => format!("{seq} the owner changed the room"),
        "rotate" => format!("{seq} the owner renewed the room's keys"),
        _ => return None,
    };
    Some(line)
}

/// The names of a message's files, which the page shows.
fn files(content: &Content) -> String {
    let files = content.files.iter().flatten();
    files
        .map(|file| match file.duration_ms {
            Some(long) => format!(" [voice message, {} s]", long.div_ceil(1000)),
            None => format!(" [file {}, {} bytes]", harmless(&file.name), file.size),
        })
        .collect()
}

fn name_of(log: &Log, entry: &Entry) -> Option<String> {
    let own = entry.content.as_ref().and_then(|content| content.name.clone()).filter(|_| entry.believed);
    own.or_else(|| log.person(entry.signer.as_ref()?).map(|person| person.name.clone()))
}

/// A link as people read it.
pub(crate) fn link_text(link: &OwnedLink) -> String {
    let name = if link.name.is_empty() { "(the room's link)".to_owned() } else { harmless(&link.name) };
    let role = match link.role {
        buddy_client::link::Role::Member => "takes part",
        buddy_client::link::Role::Reader => "reads",
    };
    let most = link.openings.map(|openings| format!(" of {openings}")).unwrap_or_default();
    format!("{} {role}, opened {}{most}: {name}", link.id, link.opened)
}

/// What an alarm means, for people.
pub(crate) fn alarm_text(alarm: &Alarm) -> String {
    let what = match alarm.code {
        Code::Window => "the server, or the program of whoever wrote this, lies about what came before it",
        Code::After => "the server, or the program of whoever wrote this, lies about where their last message stands",
        Code::Reused => "one message stands there twice with different words",
        Code::Blanked => "a text was erased, and nobody who may had it erased",
        Code::Gap => "messages are missing that no lifetime explains",
        Code::Own => "what you sent does not stand where the server said",
        Code::Epoch => "written with keys that were not in force there",
        Code::Signer => "by somebody who was never let in",
        Code::NotPermitted => "by somebody who may not do this",
        Code::Unreadable => "it cannot be read: changed, or not meant for this place",
        Code::Diverged => "the server shows something else than before, as after a restored backup",
        Code::Fork => "somebody who is here sees something else than you do",
        Code::BadRotation => "a renewal of the keys that the owner did not make",
        Code::TwoRotations => "two renewals of the keys at once, both of the owner's",
        Code::LeftWaiting => "the owner gave you new keys, and the server kept them from you",
        Code::ServerState => "the server treats the room otherwise than its owner said",
        Code::ClaimsGone => "the server says the room is gone, and cannot show that its owner wanted it",
    };
    match alarm.seq {
        Some(seq) => format!("warning ({}) at {seq}: {what}", alarm.code),
        None => format!("warning ({}): {what}", alarm.code),
    }
}

/// A text without what a terminal would obey: control characters, and those that turn the direction of text.
pub(crate) fn harmless(text: &str) -> String {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect();
    // Lines that follow are set apart, so that nobody can write a line that looks like another's.
    clean.replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_others_wrote_neither_steers_a_terminal_nor_looks_like_another_line() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(harmless("one\n7 Olga: two"), "one\n    7 Olga: two");
    }
}
