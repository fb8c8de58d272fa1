//! Which precompressed form of a file the caller takes: `Accept-Encoding` with its weights.

use axum::http::{HeaderMap, header};

use super::site::{Asset, Variant};

/// The form with the highest weight; among equals the smallest one, which is brotli, then gzip.
pub(super) fn choose<'a>(asset: &'a Asset, headers: &HeaderMap) -> &'a Variant {
    if asset.variants() == 1 {
        return &asset.plain;
    }
    let accepted = Accepted::read(headers);
    let forms = [("br", asset.brotli.as_ref()), ("gzip", asset.gzip.as_ref())];
    let mut best = (&asset.plain, accepted.weight("identity"));
    for (name, variant) in forms.into_iter().rev() {
        let Some(variant) = variant else { continue };
        let weight = accepted.weight(name);
        if weight > 0 && weight >= best.1 {
            best = (variant, weight);
        }
    }
    best.0
}

/// Weights in thousandths.
#[derive(Default)]
struct Accepted {
    named: Vec<(String, u16)>,
    others: Option<u16>,
}

impl Accepted {
    fn read(headers: &HeaderMap) -> Accepted {
        let mut accepted = Accepted::default();
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = weight.map_or(1000, thousandths);
            match name.as_str() {
                "" => {}
                "*" => accepted.others = Some(weight),
                "x-gzip" => accepted.named.push(("gzip".to_owned(), weight)),
                _ => accepted.named.push((name, weight)),
            }
        }
        accepted
    }

    fn weight(&self, name: &str) -> u16 {
        let named = self.named.iter().find(|(other, _)| other == name).map(|(_, weight)| *weight);
        // What is not encoded is always acceptable, if least of all, unless it is ruled out.
        named.or(self.others).unwrap_or(if name == "identity" { 1 } else { 0 })
    }
}

/// `0.5` → 500; what is no weight counts as none.
fn thousandths(text: &str) -> u16 {
    match text.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn weights() {
        let asset = Asset::for_test(true);
        let check = |accept: &'static str, want: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
            assert_eq!(choose(&asset, &headers).encoding, want, "{accept}");
        };
        check("gzip, deflate, br, zstd", Some("br"));
        check("gzip, deflate", Some("gzip"));
        check("br;q=0.5, gzip;q=0.9", Some("gzip"));
        check("br;q=0, gzip;q=0", None);
        check("br;q=0, *", Some("gzip"));
        check("*;q=0", None);
        check("identity", None);
        check("identity;q=0.5, gzip;q=0.4", None);
        check("gzip;q=2", None);
        check("x-gzip", Some("gzip"));
        check("deflate", None);
        assert_eq!(choose(&asset, &HeaderMap::new()).encoding, None);
        assert_eq!(choose(&Asset::for_test(false), &HeaderMap::new()).encoding, None);
    }
}
