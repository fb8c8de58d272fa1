//! The web page: files of the release's `web` folder, and `index.html` for the page's own paths.

pub(crate) mod dev;
pub(crate) mod headers;
mod negotiate;
mod range;
mod site;

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::base::Base;
use crate::fault::Fault;
use crate::listing::Listing;
use crate::page_paths::Pages;
use crate::problem::Problem;
use headers::accepts_html;
use range::Part;
use site::{Asset, Site, Variant};

/// Where the page's files come from.
#[derive(Clone)]
pub(crate) enum Web {
    /// Read once, at start.
    Loaded(Arc<Site>),
    /// Read anew for each request, while the page is being worked on.
    Disk(PathBuf, Base),
    /// There is no page: tests of a router alone.
    Absent,
}

impl Web {
    /// The release's page.
    pub(crate) fn open(folder: PathBuf, dev: bool, listing: &Listing, base: &Base) -> Result<Web, Fault> {
        if !folder.join("index.html").is_file() {
            return Err(Fault::machine(
                format!("there is no page to serve: {} is missing", folder.join("index.html").display()),
                "run the host from an unpacked release, or set INSTALL_DIR to one (…/releases/<version>)",
            ));
        }
        if dev {
            return Ok(Web::Disk(folder, base.clone()));
        }
        let site = Site::load(&folder, listing, base).map_err(|e| {
            Fault::machine(
                format!("cannot read the page's files in {}: {e}", folder.display()),
                "make the release readable for the user that runs the host, or unpack it again",
            )
        })?;
        Ok(Web::Loaded(Arc::new(site)))
    }

    fn find(&self, path: &str) -> Option<Arc<Asset>> {
        match self {
            Web::Loaded(site) => site.get(path),
            Web::Disk(folder, base) => dev::read(folder, path, base).map(Arc::new),
            Web::Absent => None,
        }
    }
}

/// Answers what no route answers: files, the page, or a 404 where the path is one of the API.
pub(crate) fn answer(web: &Web, pages: &Pages, request: &Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return Problem::not_found(format!("there is no {path}")).into_response();
    }
    let file = site::decode(path);
    let found = file.as_deref().and_then(|path| web.find(if path.is_empty() { "index.html" } else { path }));
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_read(
            path,
            request.method(),
            found.is_some() || file.is_some_and(|path| pages.has(&path)),
        );
    }
    // The page says itself that there is none, to a browser; the status says it to all others.
    let page = file.as_deref().filter(|path| found.is_none() && is_navigation(path, request.headers()));
    let known = page.is_some_and(|path| pages.has(path));
    let page = page.filter(|_| known || accepts_html(request.headers()) == headers::Html::Named);
    match found.or_else(|| page.and_then(|_| web.find("index.html"))) {
        Some(asset) => {
            let mut response = send(&asset, request);
            if page.is_some() && !known {
                *response.status_mut() = StatusCode::NOT_FOUND;
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            response
        }
        None => {
            let mut response = Problem::not_found(format!("there is no {path}")).into_response();
            headers::secure(response.headers_mut(), false);
            response
        }
    }
}

/// The answer to what wants something else than to read a file or a page, or what is neither.
fn not_read(path: &str, method: &Method, is_there: bool) -> Response {
    if !is_there {
        return Problem::not_found(format!("there is no {path}")).into_response();
    }
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED)
        .detail(format!("pages and files do not answer {method}"))
        .into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
    response
}

/// Whether the page's own router is to answer: never for what looks like a file, unless a browser opens it as a page.
fn is_navigation(path: &str, headers: &HeaderMap) -> bool {
    if path.starts_with("assets/") {
        return false;
    }
    let looks_like_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    match accepts_html(headers) {
        headers::Html::Named => true,
        headers::Html::Any => !looks_like_file,
        headers::Html::No => false,
    }
}

/// The form of the file that the caller takes, the part of it that they want, or that they have it already.
fn send(asset: &Asset, request: &Request) -> Response {
    let variant: &Variant = negotiate::choose(asset, request.headers());
    let length = variant.body.len();
    let part = match *request.method() {
        Method::GET => range::wanted(request.headers(), &variant.etag, length),
        _ => Part::Whole,
    };
    let mut response = if headers::has_already(request.headers(), &variant.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (status, body, range) = match part {
            Part::Whole => (StatusCode::OK, variant.body.clone(), None),
            Part::Bytes(bytes) => {
                let told = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
                (StatusCode::PARTIAL_CONTENT, variant.body.slice(bytes), Some(told))
            }
            Part::Beyond => {
                (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(format!("bytes */{length}")))
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, asset.media_type.clone());
        if let Some(encoding) = variant.encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        if let Some(Ok(range)) = range.map(HeaderValue::try_from) {
            headers.insert(header::CONTENT_RANGE, range);
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, variant.etag.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.caching));
    if asset.variants() > 1 {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    headers::secure(headers, asset.is_page);
    response
}
