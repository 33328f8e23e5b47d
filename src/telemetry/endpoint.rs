//! The HTTP endpoint (RFC 9110, RFC 9112) of metrics and health: `/metrics`, `/healthz`, `/readyz`.
//!
//! It takes no input but the path, and changes nothing.
//!
//! Failure: whatever a client sends or leaves out ends its own connection, after ten seconds at the
//! latest. A failed accept is tried again after a pause.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// More clients wait in the backlog.
const CLIENTS_MAX: usize = 16;
/// How long one client is served.
const CLIENT: Duration = Duration::from_secs(10);
/// How long accepting pauses after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Says what `/metrics` tells, at the moment when it is asked.
pub type Scrape = Arc<dyn Fn() -> String + Send + Sync>;

/// The endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.metrics: {addr}: {error}; choose a free port, or leave the key away")]
pub struct EndpointError {
    addr: SocketAddr,
    error: io::Error,
}

/// The open socket, and whether new mail is taken.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    ready: Arc<AtomicBool>,
}

impl Endpoint {
    /// Opens the socket. `ready` says whether new mail is taken.
    pub async fn bind(addr: SocketAddr, ready: Arc<AtomicBool>) -> Result<Self, EndpointError> {
        let listener = TcpListener::bind(addr).await;
        let listener = listener.map_err(|error| EndpointError { addr, error })?;
        Ok(Self { listener, ready })
    }

    /// Where it listens.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until dropped.
    pub async fn run(self, scrape: Scrape) {
        let turns = Arc::new(Semaphore::new(CLIENTS_MAX));
        loop {
            // The semaphore is never closed.
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (scrape, ready) = (Arc::clone(&scrape), Arc::clone(&self.ready));
            tokio::spawn(async move {
                let _turn = turn;
                serve(stream, &scrape, &ready).await;
            });
        }
    }
}

async fn serve(stream: TcpStream, scrape: &Scrape, ready: &AtomicBool) {
    let answer = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(answer(request.method(), request.uri().path(), scrape, ready))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(CLIENT);
    // What goes wrong is the client's affair.
    let _ = timeout(CLIENT, http.serve_connection(TokioIo::new(stream), answer)).await;
}

fn answer(
    method: &Method,
    path: &str,
    scrape: &Scrape,
    ready: &AtomicBool,
) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        "/metrics" => response(StatusCode::OK, OPEN_METRICS, scrape()),
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if ready.load(Ordering::Relaxed) => text(StatusCode::OK, "ready\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz or /readyz\n"),
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    response(status, PLAIN, body.to_owned())
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
