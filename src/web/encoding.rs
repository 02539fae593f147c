//! Chooses how an asset is sent (RFC 9110, section 12.5.3).

use crate::assets::Asset;

/// One form of an asset: its bytes, the name of their encoding, and their own ETag, since a
/// strong validator names bytes and not meaning.
pub(crate) struct Form {
    pub(crate) encoding: Option<&'static str>,
    pub(crate) bytes: &'static [u8],
    pub(crate) etag: String,
}

/// The smallest form among those the client likes best; as it is where nothing else will do.
pub(crate) fn choose(asset: &Asset, accept_encoding: &str) -> Form {
    let forms = [("br", asset.brotli), ("gzip", asset.gzip)];
    let best = forms
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, bytes?, weight(accept_encoding, name)?)))
        .filter(|(_, _, weight)| *weight > 0 && *weight >= weight_of_identity(accept_encoding))
        .min_by_key(|(_, bytes, weight)| (u16::MAX - weight, bytes.len()));
    match best {
        Some((name, bytes, _)) => Form { encoding: Some(name), bytes, etag: format!("\"{}-{name}\"", asset.hash) },
        None => Form { encoding: None, bytes: asset.plain, etag: format!("\"{}\"", asset.hash) },
    }
}

/// A client that names `identity` with a higher weight than an encoding means it.
fn weight_of_identity(accept_encoding: &str) -> u16 {
    listed(accept_encoding, "identity").unwrap_or(0)
}

/// How much the client wants `coding`, in thousandths; none if it does not accept it.
fn weight(accept_encoding: &str, coding: &str) -> Option<u16> {
    listed(accept_encoding, coding).or_else(|| listed(accept_encoding, "*"))
}

fn listed(accept_encoding: &str, coding: &str) -> Option<u16> {
    accept_encoding.split(',').find_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(coding) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
        Some((quality.clamp(0.0, 1.0) * 1000.0).round() as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        path: "/a.js",
        content_type: "text/javascript",
        policy: None,
        hash: "h",
        plain: b"plain text",
        brotli: Some(b"br"),
        gzip: Some(b"gzip"),
    };

    fn chosen(accept_encoding: &str) -> &'static str {
        choose(&ASSET, accept_encoding).encoding.unwrap_or("identity")
    }

    #[test]
    fn the_client_has_its_way_and_the_smaller_form_wins_a_tie() {
        for (accept_encoding, expected) in [
            ("", "identity"),
            ("gzip, deflate, br, zstd", "br"),
            ("gzip, deflate", "gzip"),
            ("GZIP", "gzip"),
            ("*", "br"),
            ("br;q=0, *", "gzip"),
            ("br;q=0.5, gzip;q=0.8", "gzip"),
            ("br;q=0, gzip;q=0", "identity"),
            ("gzip;q=0.5, identity", "identity"),
            ("identity;q=0", "identity"),
            ("br;q=nonsense", "identity"),
            ("zstd", "identity"),
        ] {
            assert_eq!(chosen(accept_encoding), expected, "{accept_encoding:?}");
        }
    }

    #[test]
    fn each_form_has_an_etag_of_its_own() {
        assert_eq!(choose(&ASSET, "br").etag, "\"h-br\"");
        assert_eq!(choose(&ASSET, "").etag, "\"h\"");
    }
}
