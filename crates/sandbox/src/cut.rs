//! Ends a TCP connection without an answer: what a client sees when the network fails between request and response.

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

/// A second handle on the connection's socket. It is kept with the connection and closed with it.
struct Line(TcpStream);

/// For `HttpServer::on_connect`.
pub(crate) fn remember(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
        && let Ok(socket) = stream.as_fd().try_clone_to_owned()
    {
        data.insert(Line(TcpStream::from(socket)));
    }
}

/// After this the server cannot send a byte on the connection, so whatever the handler returns is never seen.
pub(crate) fn cut(request: &HttpRequest) {
    match request.conn_data::<Line>().map(|line| line.0.shutdown(Shutdown::Both)) {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "the connection was already gone when it was to be cut"),
        None => tracing::warn!("a connection could not be cut: no handle was kept"),
    }
}
