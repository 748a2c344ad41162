//! A non-blocking stream to the broker: TCP, with or without TLS.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

/// How many bytes TLS may hold that the socket does not take yet.
const TLS_BACKLOG: usize = 256 << 10;
/// How many bytes of TLS records are read at once. rustls alone would take 4 KiB with each system call.
const TLS_READ: usize = 64 << 10;

/// TLS for every connection.
#[derive(Clone)]
pub struct TlsSetup {
    /// Whom to trust, what to show.
    pub config: Arc<ClientConfig>,
    /// The broker's name.
    pub name: ServerName<'static>,
}

/// A stream to the broker.
pub struct Transport {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
}

struct Tls {
    session: ClientConnection,
    /// Read from the socket, not yet taken by the session.
    records: Vec<u8>,
    taken: usize,
}

impl Transport {
    /// Begins to connect.
    pub fn connect(
        address: SocketAddr,
        tls: Option<&TlsSetup>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        // Not every system lets it be set on a connection that is still being made; `connected` sets it again.
        let _ = socket.set_nodelay(true);
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let tls = tls
            .map(|setup| {
                let mut session = ClientConnection::new(Arc::clone(&setup.config), setup.name.clone())
                    .map_err(io::Error::other)?;
                session.set_buffer_limit(Some(TLS_BACKLOG));
                io::Result::Ok(Box::new(Tls { session, records: Vec::new(), taken: 0 }))
            })
            .transpose()?;
        Ok(Self { socket, tls })
    }

    /// Whether the TCP connection stands; an error if it was refused.
    pub fn connected(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => {
                self.socket.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            // macOS, while it is being made.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a read that fills less than the buffer has emptied the socket, so that the next would only say so. Edge
    /// triggered epoll and kqueue allow this; Windows and TLS do not.
    #[must_use]
    pub const fn short_read_is_last(&self) -> bool {
        cfg!(unix) && self.tls.is_none()
    }

    /// Reads what there is. `WouldBlock` when there is nothing, 0 at the end.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(into),
            Some(tls) => tls.read(&mut self.socket, into),
        }
    }

    /// Writes as much as is taken now. `WouldBlock` when nothing is.
    pub fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(from),
            Some(tls) => tls.write(&mut self.socket, from),
        }
    }

    /// Sends what TLS still holds back. `WouldBlock` when the socket does not take all of it.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.flush(&mut self.socket),
        }
    }

    /// Says good-bye.
    pub fn close(&mut self, registry: &Registry) {
        if let Some(tls) = &mut self.tls {
            tls.session.send_close_notify();
            let _ = tls.flush(&mut self.socket);
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        let _ = registry.deregister(&mut self.socket);
    }
}

impl Tls {
    fn read(&mut self, socket: &mut TcpStream, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            if self.taken == self.records.len() {
                self.records.resize(TLS_READ, 0);
                self.taken = 0;
                let got = socket.read(&mut self.records).inspect_err(|_| self.records.clear())?;
                self.records.truncate(got);
                if got == 0 {
                    return Ok(0);
                }
            }
            let mut rest = &self.records[self.taken..];
            self.taken += self.session.read_tls(&mut rest)?;
            self.session.process_new_packets().map_err(io::Error::other)?;
            // Answers of the handshake; what does not leave now leaves when the socket is writable.
            match self.flush(socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    fn write(&mut self, socket: &mut TcpStream, from: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let taken = self.session.writer().write(from)?;
        match self.flush(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ if taken == 0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(socket)?;
        }
        Ok(())
    }
}
