//! What parses requests, fed with what nobody means well with: nothing panics, and whatever is accepted is in the one
//! form and the range that the API describes.

use buddy_domain::{
    Access, Address, Author, Error, Kind, LinkId, MAX_SEQ, MoveSlot, NewLink, NewRoom, Page, Patch, Post, PublicPart,
    Registration, Renewal, RoomId, Signal, TokenHash, cursor, endpoint, farewell, keys_page, members_page, opening,
    own_endpoint, page,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const MAX_BODY: usize = 100;

/// Every parser of a body. What one accepts says nothing of another, so each is only run.
fn parse_all(body: &[u8]) {
    let room = RoomId::new([7; 32]);
    let outcomes = [
        NewRoom::parse(body).err(),
        Patch::parse(body, MAX_BODY).err(),
        Post::parse(body, MAX_BODY).err(),
        Signal::parse(body, MAX_BODY).err(),
        MoveSlot::parse(body).err(),
        NewLink::parse(body, 10).err(),
        Renewal::parse(body, &room, 10).err(),
        opening(body).err(),
        Registration::parse(body, &["https://push.example".to_owned()]).err(),
        endpoint(body).err(),
        own_endpoint(body).err(),
        std::str::from_utf8(body).ok().and_then(|text| PublicPart::parse(text).err()),
    ];
    for error in outcomes.into_iter().flatten() {
        // Each refusal is the caller's fault, and says what is wrong.
        assert!(matches!(error.status(), 400 | 403 | 404 | 413), "{error:?}");
        assert!(!error.to_string().is_empty());
    }
}

/// Names that mean something to some request, and some that mean nothing.
fn names() -> impl Strategy<Value = String> {
    let known = vec![
        "room",
        "rotation",
        "link",
        "public",
        "signature",
        "private",
        "id",
        "token_hash",
        "sealed",
        "note",
        "client_id",
        "kind",
        "target",
        "body",
        "epoch",
        "state_seq",
        "statement",
        "locked",
        "expires_in_s",
        "message_ttl_s",
        "about",
        "read_token_hash",
        "post_token_hash",
        "owner_token_hash",
        "grants",
        "links",
        "taken_back",
        "cards_seen",
        "openings",
        "files",
        "parts",
        "endpoint",
        "keys",
        "p256dh",
        "auth",
        "to",
        "author",
        "",
    ];
    prop_oneof![6 => prop::sample::select(known).prop_map(str::to_owned), 1 => ".*"]
}

/// Values that might pass, nearly pass, or are something else altogether.
fn values() -> impl Strategy<Value = Value> {
    let hex = prop::sample::select(vec![32, 63, 64, 65]).prop_map(|length| json!("a".repeat(length)));
    let base64url = prop::sample::select(vec![42, 43, 85, 86, 87]).prop_map(|length| json!("A".repeat(length)));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![-1, 0, 1, MAX_SEQ, MAX_SEQ + 1, 31_536_000, 31_536_001]).prop_map(Value::from),
        prop::sample::select(vec!["message", "delete", "card", "rotate", "here", "gone", "{}", "v2.0.x"])
            .prop_map(Value::from),
        prop::sample::select(vec!["0b1f6a52-7f0c-4a6e-9a55-0d3c5b8a7e01", "0B1F6A52-7F0C-4A6E-9A55-0D3C5B8A7E01"])
            .prop_map(Value::from),
        hex,
        base64url,
        ".{0,120}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((names(), inner), 0..6).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    vec((names(), values()), 0..8).prop_map(|members| Value::Object(Map::from_iter(members)))
}

fn post(fields: Value) -> Value {
    let mut post = json!({ "client_id": "0b1f6a52-7f0c-4a6e-9a55-0d3c5b8a7e01" });
    for (name, value) in fields.as_object().expect("an object") {
        post[name] = value.clone();
    }
    post
}

proptest! {
    #[test]
    fn bytes_of_any_kind_panic_nobody(body in vec(any::<u8>(), 0..300)) {
        parse_all(&body);
    }

    #[test]
    fn json_of_any_shape_panics_nobody(body in prop_oneof![3 => objects(), 1 => values()]) {
        parse_all(body.to_string().as_bytes());
    }

    #[test]
    fn a_post_is_accepted_only_within_its_limits(fields in vec((names(), values()), 0..4)) {
        let body = post(Value::Object(Map::from_iter(fields)));
        if let Ok(post) = Post::parse(body.to_string().as_bytes(), MAX_BODY) {
            prop_assert!(post.body.len() <= MAX_BODY && !post.body.contains('\0'));
            prop_assert!(!post.body.is_empty() || post.kind == Kind::Delete);
            prop_assert!(post.target.is_none_or(|target| (1..=MAX_SEQ).contains(&target)));
            prop_assert!(post.epoch.is_none_or(|epoch| (0..=MAX_SEQ).contains(&epoch)));
            prop_assert!(!matches!(post.kind, Kind::Room | Kind::Change | Kind::Rotate));
            prop_assert_eq!(&body["client_id"], &json!(post.client_id.hyphenated().to_string()));
            let members = body.as_object().expect("an object").keys();
            prop_assert!(members.into_iter().all(|name| ["client_id", "kind", "target", "body", "epoch"].contains(&name.as_str())));
        }
    }

    #[test]
    fn a_good_post_with_anything_wrong_about_it_is_refused(text in "[a-z]{1,20}", name in "[a-z_]{1,12}", rest in "[^ \t\r\n].{0,8}") {
        let good = post(json!({ "body": text })).to_string();
        prop_assert!(Post::parse(good.as_bytes(), MAX_BODY).is_ok());
        let inside = &good[1..good.len() - 1];
        let known = ["client_id", "kind", "target", "body", "epoch"].contains(&name.as_str());
        for bad in [
            format!("{good}{rest}"),
            format!("[{good}]"),
            format!("{{{inside},\"body\":\"twice\"}}"),
            format!("{{{inside},\"client_id\":\"0b1f6a52-7f0c-4a6e-9a55-0d3c5b8a7e02\"}}"),
            if known { "{}".to_owned() } else { format!("{{{inside},\"{name}\":null}}") },
            good.replace("0b1f", "0B1F"),
            good.replace('-', ""),
            good.replace("\"0b1f", "\"{0b1f"),
        ] {
            prop_assert!(matches!(Post::parse(bad.as_bytes(), MAX_BODY), Err(Error::InvalidRequest(_))), "{bad}");
        }
    }

    #[test]
    fn ids_and_hashes_have_one_form(text in prop_oneof![
        "[0-9a-f]{64}", "[0-9a-f]{32}", "[0-9A-F]{64}", "[0-9a-f]{63}[g-zG-Z ]", "0x[0-9a-f]{62}", "[0-9a-f]{64}\n", ".*",
    ]) {
        if let Ok(id) = RoomId::parse(&text) {
            prop_assert_eq!(id.to_string(), text.clone());
            prop_assert_eq!(id.short(), text[..8].to_owned());
        }
        if let Ok(hash) = TokenHash::parse("hash", &text) {
            prop_assert_eq!(RoomId::new(hash.bytes()).to_string(), text.clone());
        }
        let is_id = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        prop_assert_eq!(Author::parse("author", &text).is_ok(), is_id);
        prop_assert_eq!(LinkId::parse(&text).is_ok(), is_id);
        let is_room = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        prop_assert_eq!(RoomId::parse(&text).is_ok(), is_room);
    }

    #[test]
    fn a_farewell_has_one_form(bytes in vec(any::<u8>(), 60..68), text in ".*") {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
        let canonical = URL_SAFE_NO_PAD.encode(&bytes);
        prop_assert_eq!(farewell(&canonical).is_ok(), bytes.len() == 64);
        for other in [URL_SAFE.encode(&bytes), STANDARD.encode(&bytes), format!("{canonical} "), text] {
            if let Ok(accepted) = farewell(&other) {
                let decoded = URL_SAFE_NO_PAD.decode(accepted).expect("accepted");
                prop_assert_eq!((decoded.len(), URL_SAFE_NO_PAD.encode(decoded)), (64, other.clone()));
            }
        }
    }

    #[test]
    fn queries_and_cursors_stay_in_range(query in prop_oneof![
        ".*",
        "(after|before|limit|since|%61fter|AFTER)=[-+ 0-9a-f%.]{0,20}(&(after|before|limit|since)=[0-9]{0,18}){0,3}",
    ], header in prop_oneof![".*", "[0-9]{0,20}", "[+-][0-9]{1,5}", " [0-9]{1,5}", "[0-9]{1,5}\\.0"]) {
        match page(&query) {
            Ok(Page::After { seq, limit }) => prop_assert!((0..=MAX_SEQ).contains(&seq) && (1..=200).contains(&limit)),
            Ok(Page::Before { seq, limit }) => prop_assert!((1..=MAX_SEQ).contains(&seq) && (1..=200).contains(&limit)),
            Ok(Page::Newest { limit }) => prop_assert!((1..=200).contains(&limit)),
            Err(error) => prop_assert!(matches!(error, Error::InvalidRequest(_))),
        }
        if let Ok(page) = keys_page(&query) {
            prop_assert!((-1..=MAX_SEQ).contains(&page.since) && (1..=50).contains(&page.limit));
        }
        if let Ok(page) = members_page(&query) {
            prop_assert!((0..=MAX_SEQ).contains(&page.after) && (1..=200).contains(&page.limit));
        }
        match cursor(Some(&header), "after=7") {
            Ok(Some(7)) if header.is_empty() => {}
            Ok(Some(seq)) => {
                prop_assert!((0..=MAX_SEQ).contains(&seq));
                prop_assert!(header.bytes().all(|byte| byte.is_ascii_digit()), "{header:?}");
            }
            Ok(None) => prop_assert!(false, "a cursor was given"),
            Err(error) => prop_assert!(matches!(error, Error::InvalidRequest(_))),
        }
    }

    #[test]
    fn whatever_names_an_address_counts_under_keys_that_hide_it(entry in prop_oneof![
        ".*", "[0-9.:]{0,40}", "\\[?[0-9a-fA-F:.]{0,45}(%[a-z0-9]{1,5})?\\]?(:[0-9]{1,6})?",
    ]) {
        let limits = Address::parse(&entry).limits("posts", i64::MAX);
        prop_assert!((1..=2).contains(&limits.len()));
        for (key, limit) in limits {
            prop_assert!(key.len() == 32 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
            prop_assert!(limit > 0);
        }
    }

    #[test]
    fn secrets_of_any_kind_have_a_hash(secret in ".*") {
        let access = Access { token: Some(TokenHash::of(&secret)), author: Some(Author::of(&secret)) };
        prop_assert!(access.need_author().is_ok());
        prop_assert!(Access::default().need_author().is_err());
    }
}
