//! Dates in the headers of a response (RFC 9110, 5.6.7): the usual form and the two obsolete ones.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

/// The date in a header, if there is one that can be read.
pub(super) fn http_date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    Timestamp::try_from(time).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The three spellings of one moment in RFC 9110, 5.6.7.
    #[test]
    fn three_forms_of_rfc_9110_are_one_date() {
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            let headers = [(http::header::DATE, text.parse().unwrap())].into_iter().collect();
            assert_eq!(http_date(&headers, &http::header::DATE), Some(expected), "{text}");
        }
    }
}
