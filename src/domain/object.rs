//! JSON objects as callers send them. Serde reads a struct from an array as well; an API of objects
//! must not. Unknown and repeated fields are refused by the structs themselves.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Error;

/// A `T` that was written as an object.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(AnObject(PhantomData)).map(Self)
    }
}

/// Reads a request's body.
///
/// # Errors
/// `InvalidRequest`, without any value that the body held: it may be a secret.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("The body is not UTF-8."))?;
    let read: Result<Object<T>, _> = serde_json::from_str(text);
    read.map(|object| object.0).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Error::invalid(format!("The body does not fit: {}.", unquoted(&error.to_string())))
        }
        _ => Error::invalid(format!("The body is not JSON: line {}, column {}.", error.line(), error.column())),
    })
}

/// A field that may be null and must be there.
pub(crate) fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Keeps field names, which serde puts in backticks, and drops values, which it puts in quotes.
fn unquoted(text: &str) -> String {
    text.split('"').step_by(2).collect::<Vec<_>>().join("…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        a: i64,
        #[serde(deserialize_with = "nullable")]
        b: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        pairs: Vec<Object<Pair>>,
    }

    #[test]
    fn an_object_is_read_once_and_from_an_object_only() {
        let pair: Pair = object(br#" {"b":null,"a":1} "#).expect("an object");
        assert_eq!(pair, Pair { a: 1, b: None });
        for wrong in [
            r#"[1,null]"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":null,"c":1}"#,
            r#"{"a":1,"a":1,"b":null}"#,
            r#"{"a":1,"b":null,"\u0061":1}"#,
            r#"{"a":1e0,"b":null}"#,
            r#"{"a":1.0,"b":null}"#,
            r#"{"a":-0,"b":null}"#,
            r#"{"a":"1","b":null}"#,
            r#"{"a":01,"b":null}"#,
            r#"{"a":9223372036854775808,"b":null}"#,
            r#"{"a":1,"b":null}{}"#,
            "{\"a\":1,\"b\":null}\0",
            "",
            "null",
        ] {
            assert!(object::<Pair>(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let outer: Outer = object(br#"{"pairs":[{"a":1,"b":"x"}]}"#).expect("objects in an object");
        assert_eq!(outer.pairs[0].0, Pair { a: 1, b: Some("x".into()) });
        assert!(object::<Outer>(br#"{"pairs":[[1,"x"]]}"#).is_err());
    }

    #[test]
    fn an_error_quotes_no_value() {
        let error = object::<Pair>(br#"{"a":"secret","b":null}"#).expect_err("no number");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object::<Outer>(&body);
        }
    }
}
