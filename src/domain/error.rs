//! Every way in which a request can fail, with its status and its stable code.

use serde_json::json;

/// An error as callers see it. The text says what was wrong and what would be right; causes that
/// are nobody else's business stay in `Unavailable` and go to the log only.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    InvalidRequest(String),
    #[error("{0}")]
    NotAllowed(&'static str),
    #[error("The room is locked: only its owner can write.")]
    RoomLocked,
    #[error("The room is full: delete messages or make a new room.")]
    RoomFull,
    #[error("{0}")]
    Full(&'static str),
    #[error("The room's keys were renewed since this token: fetch its keys.")]
    Renewed,
    #[error("This is of another epoch than the room: fetch its keys, and send it anew.")]
    StaleEpoch,
    #[error("This room exists already, made with other content.")]
    RoomExists,
    #[error("This room is gone.")]
    RoomGone { farewell: Option<String> },
    #[error("The room's links are not those that links and taken_back name: look at them again.")]
    LinksChanged,
    #[error("Somebody has made a card since cards_seen: look at the members again.")]
    PeopleChanged,
    #[error("This link's id was used with other content: make a new link.")]
    LinkExists,
    #[error("Another statement came first: read the room again.")]
    StateChanged,
    #[error("This link has been opened as often as it may be: ask for another one.")]
    LinkUsedUp,
    #[error("This link's time is over: ask for another one.")]
    LinkExpired,
    #[error("There is no such room, or this link does not open it.")]
    RoomNotFound,
    #[error("There is nothing at this address.")]
    NotFound,
    #[error("This server sends no push messages.")]
    PushOff,
    #[error("This server does not know the push service of this endpoint.")]
    PushServiceUnknown,
    #[error("There is no such file or part: it was never here, or went with its message.")]
    FileNotFound,
    #[error("This part was stored with other content: take a new id for the file.")]
    PartExists,
    #[error("This file belongs to a message already: take a new id for another file.")]
    FileSent,
    #[error("A file is not here with all of its parts: upload it under a new id.")]
    FileMissing,
    #[error("The part has {bytes} bytes, and nothing where the range begins.")]
    RangeNotSatisfiable { bytes: i64 },
    #[error("This address answers {0}.")]
    MethodNotAllowed(&'static str),
    #[error("This client_id was used for something else in this room: take a new one.")]
    ClientIdReused,
    #[error("Too large: {0}")]
    TooLarge(String),
    #[error("Send the header content-type: application/json, or application/octet-stream with the part of a file.")]
    UnsupportedMediaType,
    #[error("Too many requests: try again in {retry_after_s} s.")]
    RateLimited { retry_after_s: i64 },
    #[error("The slot is on its way to another database: let it arrive, or take that back, first.")]
    SlotMoving,
    #[error("The server has no room for more: its operator must make some.")]
    StorageFull,
    #[error("The service is not available right now: try again.")]
    Unavailable(String),
}

impl Error {
    /// An `InvalidRequest` with the given explanation.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidRequest(text.into())
    }

    /// The HTTP status (RFC 9110).
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest(_) | Self::PushServiceUnknown => 400,
            Self::NotAllowed(_) | Self::RoomLocked | Self::RoomFull | Self::Full(_) => 403,
            Self::Renewed | Self::LinkUsedUp | Self::LinkExpired => 403,
            Self::RoomNotFound | Self::NotFound | Self::FileNotFound | Self::PushOff => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::ClientIdReused | Self::StaleEpoch | Self::RoomExists | Self::LinkExists => 409,
            Self::LinksChanged | Self::PeopleChanged | Self::StateChanged | Self::SlotMoving => 409,
            Self::PartExists | Self::FileSent | Self::FileMissing => 409,
            Self::RoomGone { .. } => 410,
            Self::TooLarge(_) => 413,
            Self::UnsupportedMediaType => 415,
            Self::RangeNotSatisfiable { .. } => 416,
            Self::RateLimited { .. } => 429,
            Self::StorageFull | Self::Unavailable(_) => 503,
        }
    }

    /// The code that programs may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::NotAllowed(_) => "not_allowed",
            Self::RoomLocked => "room_locked",
            Self::RoomFull | Self::Full(_) => "room_full",
            Self::Renewed => "renewed",
            Self::StaleEpoch => "stale_epoch",
            Self::RoomExists => "room_exists",
            Self::RoomGone { .. } => "room_gone",
            Self::LinksChanged => "links_changed",
            Self::PeopleChanged => "people_changed",
            Self::LinkExists => "link_exists",
            Self::StateChanged => "state_changed",
            Self::LinkUsedUp | Self::LinkExpired => "link_ended",
            Self::RoomNotFound => "room_not_found",
            Self::NotFound => "not_found",
            Self::FileNotFound => "file_not_found",
            Self::PushOff => "push_off",
            Self::PushServiceUnknown => "push_service_unknown",
            Self::PartExists => "part_exists",
            Self::FileSent => "file_sent",
            Self::FileMissing => "file_missing",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::ClientIdReused => "client_id_reused",
            Self::TooLarge(_) => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited { .. } => "rate_limited",
            Self::SlotMoving => "slot_moving",
            Self::StorageFull => "storage_full",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Seconds after which a caller may try again, where there is such a time.
    pub fn retry_after_s(&self) -> Option<i64> {
        match self {
            Self::RateLimited { retry_after_s } => Some(*retry_after_s),
            Self::StorageFull => Some(60),
            Self::Unavailable(_) => Some(1),
            _ => None,
        }
    }

    /// The body of the answer.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = json!({"code": self.code(), "message": self.to_string()});
        match self {
            Self::RoomGone { farewell: Some(farewell) } => error["farewell"] = json!(farewell),
            Self::LinkUsedUp => error["reason"] = json!("used_up"),
            Self::LinkExpired => error["reason"] = json!("expired"),
            _ => {}
        }
        json!({"error": error})
    }
}
