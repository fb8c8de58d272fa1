//! While the page is being worked on: files read afresh, and a page that loads itself anew when they change.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::site::Asset;
use crate::base::Base;
use crate::ctx::Ctx;

/// How often the stamp is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Loads the page anew when the files change, and when another host answers in this one's place.
const SCRIPT: &str = "\
const events = new EventSource(new URL('events', document.currentScript.src));
let host;
events.addEventListener('hello', (event) => {
  if (host !== undefined && host !== event.data) location.reload();
  host = event.data;
});
events.addEventListener('reload', () => location.reload());
";

/// One file of the folder as it is now; the page itself with the script that reloads it.
pub(super) fn read(folder: &Path, path: &str, base: &Base) -> Option<Asset> {
    let read = |path: &str| match fs::read(folder.join(path)) {
        Ok(bytes) if path == "index.html" => Ok(Some(with_script(bytes, base))),
        Ok(bytes) => Ok(Some(Bytes::from(bytes))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    };
    // A folder has no bytes to send either.
    let mut asset = Asset::read(path, &read).ok().flatten()?;
    if path == "index.html" {
        // Its twins have no script.
        (asset.gzip, asset.brotli) = (None, None);
    }
    Some(asset)
}

fn with_script(page: Vec<u8>, base: &Base) -> Bytes {
    let tag = format!("<script src=\"{}/api/_dev/reload.js\"></script>", base.prefix());
    match String::from_utf8(page) {
        Ok(text) => {
            let text = if base.is_root() { text } else { base.page(&text) };
            let at = text.rfind("</body>").unwrap_or(text.len());
            Bytes::from(format!("{}{tag}{}", &text[..at], &text[at..]))
        }
        Err(bytes) => Bytes::from(bytes.into_bytes()),
    }
}

/// `GET /api/_dev/reload.js`.
pub(crate) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

/// `GET /api/_dev/events`: `hello` at once, with a word that is another one after a restart, and `reload` whenever
/// `.reload` or `index.html` in the page's folder is another than before.
pub(crate) async fn events(ctx: Ctx) -> Response {
    let hub = ctx.hub();
    let Some(folder) = hub.web_folder.clone() else {
        return crate::problem::Problem::not_found("there is no page").into_response();
    };
    let started = hub.started.clone();
    let first = Event::default().event("hello").data(started);
    let seen = stamp(&folder);
    let stage = hub.stage.watch();
    let events =
        stream::unfold((folder, seen, stage, Some(first)), |(folder, seen, mut stage, first)| async move {
            if let Some(first) = first {
                return Some((Ok::<_, Infallible>(first), (folder, seen, stage, None)));
            }
            loop {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stage.closing() => return None,
                }
                let now = stamp(&folder);
                // A page that is being replaced is missing for a moment.
                if now != seen && now[1].is_some() {
                    return Some((
                        Ok(Event::default().event("reload").data("changed")),
                        (folder, now, stage, None),
                    ));
                }
            }
        });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// Changes whenever one of the files is written or replaced.
fn stamp(folder: &Path) -> [Option<(SystemTime, u64)>; 2] {
    let of = |name: &str| {
        let about = fs::metadata(folder.join(name)).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    [of(".reload"), of("index.html")]
}
