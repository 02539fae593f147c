//! Where a browser wants to be told that there is something new in a room: what `PushSubscription.toJSON()` gives (W3C
//! Push API, section 8). An endpoint is a secret of its browser, and never logged.

use serde::Deserialize;

use crate::object::{Object, object};
use crate::{Error, base64url};

/// Bytes that an endpoint may have.
const ENDPOINT_MAX: usize = 1024;

/// A registration as it is stored.
#[derive(Debug)]
pub struct Registration {
    pub endpoint: String,
    /// The browser's public key, an uncompressed point of P-256 (RFC 8291, section 3.1). Whether it lies on the curve
    /// is not looked at here.
    pub p256dh: [u8; 65],
    /// What a message is sealed with besides (RFC 8291, section 3.2).
    pub auth: [u8; 16],
}

/// A browser writes it, and a later one may say more, such as when the registration expires.
#[derive(Deserialize)]
struct RawRegistration {
    endpoint: String,
    keys: Object<RawKeys>,
}

#[derive(Deserialize)]
struct RawKeys {
    p256dh: String,
    auth: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEndpoint {
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOwn {
    endpoint: Option<String>,
}

impl Registration {
    /// `services`: the origins of the push services that are known, such as `https://push.example`.
    ///
    /// # Errors
    /// `PushServiceUnknown`; `InvalidRequest` for anything else that is not of the form.
    pub fn parse(body: &[u8], services: &[String]) -> Result<Self, Error> {
        let raw: RawRegistration = object(body)?;
        service_of(&raw.endpoint, services).ok_or(Error::PushServiceUnknown)?;
        let point = base64url::array(&raw.keys.0.p256dh).filter(|point: &[u8; 65]| point[0] == 4);
        let auth = base64url::array(&raw.keys.0.auth);
        let (Some(p256dh), Some(auth)) = (point, auth) else {
            return Err(Error::invalid("p256dh must be a point of 65 bytes and auth 16 bytes, both in base64url."));
        };
        Ok(Self { endpoint: well_formed(raw.endpoint)?, p256dh, auth })
    }

    /// The origin of its push service; `None`: it is none of these any more.
    pub fn service<'a>(&self, services: &'a [String]) -> Option<&'a str> {
        service_of(&self.endpoint, services)
    }
}

/// The endpoint of a registration that is taken back.
///
/// # Errors
/// `InvalidRequest`.
pub fn endpoint(body: &[u8]) -> Result<String, Error> {
    well_formed(object::<RawEndpoint>(body)?.endpoint)
}

/// The endpoint of whoever has the others told, if they have one.
///
/// # Errors
/// `InvalidRequest`.
pub fn own_endpoint(body: &[u8]) -> Result<Option<String>, Error> {
    if body.is_empty() {
        return Ok(None);
    }
    object::<RawOwn>(body)?.endpoint.map(well_formed).transpose()
}

/// Printable ASCII as a URL has it.
fn well_formed(endpoint: String) -> Result<String, Error> {
    let is_url = endpoint.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte));
    if !is_url || endpoint.is_empty() || endpoint.len() > ENDPOINT_MAX {
        return Err(Error::invalid(format!("An endpoint is a URL of at most {ENDPOINT_MAX} bytes.")));
    }
    Ok(endpoint)
}

/// Browsers write an origin in one form only (WHATWG URL), so what it begins with tells.
fn service_of<'a>(endpoint: &str, services: &'a [String]) -> Option<&'a str> {
    services.iter().map(String::as_str).find(|origin| {
        let rest = endpoint.strip_prefix(origin);
        !origin.is_empty() && rest.is_some_and(|rest| rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn services() -> Vec<String> {
        ["https://push.example", "https://other.example:8443"].map(str::to_owned).into()
    }

    fn registration(endpoint: &str) -> Value {
        let point = [[4].as_slice(), &[7; 64]].concat();
        json!({
            "endpoint": endpoint, "expirationTime": null,
            "keys": { "p256dh": base64url::encode(&point), "auth": base64url::encode(&[1; 16]) },
        })
    }

    fn parse(registration: &Value) -> Result<Registration, Error> {
        Registration::parse(registration.to_string().as_bytes(), &services())
    }

    #[test]
    fn what_a_browser_gives_is_read() {
        let read = parse(&registration("https://push.example/send/x-1:y_2?z=%20")).expect("a registration");
        assert_eq!((read.p256dh[..2].to_vec(), read.auth), (vec![4, 7], [1; 16]));
        assert_eq!(read.service(&services()), Some("https://push.example"));
        assert_eq!(read.service(&[String::new()]), None);
        let mut later = registration("https://other.example:8443/");
        later["expirationTime"] = json!(1.5e12);
        later["contentEncodings"] = json!(["aes128gcm"]);
        parse(&later).expect("it may say more");
    }

    #[test]
    fn only_the_named_services_are_known() {
        for wrong in [
            "https://push.example",
            "http://push.example/x",
            "https://push.example.evil.example/x",
            "https://push.example@evil.example/x",
            "https://push.example:444/x",
            "https://evil.example/https://push.example/x",
            "https://PUSH.example/x",
            "",
        ] {
            assert!(matches!(parse(&registration(wrong)), Err(Error::PushServiceUnknown)), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_registration_is_refused_and_not_quoted() {
        for wrong in ["https://push.example/a b", "https://push.example/ä", "https://push.example/#x"] {
            assert!(matches!(parse(&registration(wrong)), Err(Error::InvalidRequest(_))), "{wrong}");
        }
        let long = format!("https://push.example/{}", "x".repeat(ENDPOINT_MAX));
        assert!(matches!(parse(&registration(&long)), Err(Error::InvalidRequest(_))));
        let good = "https://push.example/x";
        for (field, value) in [
            ("p256dh", json!(base64url::encode(&[4; 64]))),
            ("p256dh", json!(base64url::encode(&[2; 65]))),
            ("p256dh", json!(7)),
            ("auth", json!(base64url::encode(&[1; 15]))),
            ("auth", json!("AAAAAAAAAAAAAAAAAAAAAA==")),
        ] {
            let mut wrong = registration(good);
            wrong["keys"][field] = value;
            let error = parse(&wrong).expect_err("refused");
            assert!(matches!(&error, Error::InvalidRequest(text) if !text.contains("AAAA")), "{error:?}");
        }
        assert!(endpoint(br#"{"endpoint":"https://push.example/x"}"#).is_ok());
        assert!(endpoint(br#"{}"#).is_err() && endpoint(br#"{"endpoint":""}"#).is_err());
        assert_eq!(own_endpoint(b"").expect("none"), None);
        assert_eq!(own_endpoint(b"{}").expect("none"), None);
        assert_eq!(own_endpoint(br#"{"endpoint":"https://x/"}"#).expect("one"), Some("https://x/".to_owned()));
        assert!(own_endpoint(br#"{"endpoints":[]}"#).is_err());
    }
}
