//! A relay that is no broker: it lets everybody in, and copies what publishers send to whoever has subscribed the same
//! topic, without looking at it. What the machine and the load generator can do at most: the yardstick.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{BenchError, settings::Address, stream};

/// How much is copied at once.
const COPY_BYTES: usize = 256 << 10;

/// Who subscribed, by filter.
type Subscribers = Arc<Mutex<HashMap<String, Vec<Arc<TcpStream>>>>>;

/// A relay that runs in this process until it is dropped.
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// On a free port of this computer.
    ///
    /// # Errors
    /// There is no port or no thread.
    pub fn start() -> Result<Self, BenchError> {
        let refused = |source| BenchError::System { what: "a port for the relay", source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        thread::Builder::new()
            .name("relay".into())
            .spawn(move || serve(&listener))
            .map_err(|source| BenchError::System { what: "a thread", source })?;
        Ok(Self { address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Address {
        Address { host: self.address.ip().to_string(), port: self.address.port(), tls: false }
    }
}

/// Serves this listener until it fails.
pub fn serve(listener: &TcpListener) {
    let subscribers = Subscribers::default();
    for socket in listener.incoming().flatten() {
        let subscribers = Arc::clone(&subscribers);
        let spawned = thread::Builder::new().name("relay".into()).spawn(move || {
            // A connection that ends, ends.
            let _ = attend(socket, &subscribers);
        });
        if spawned.is_err() {
            return;
        }
    }
}

fn attend(mut socket: TcpStream, subscribers: &Subscribers) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let shared = Arc::new(socket.try_clone()?);
    let mut held = Vec::new();
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let got = socket.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        held.extend_from_slice(&buffer[..got]);
        while let Some(length) =
            stream::packet_len(&held).map_err(io::Error::other)?.filter(|len| *len <= held.len())
        {
            match held[0] >> 4 {
                1 => socket.write_all(b"\x20\x02\0\0")?,
                8 => {
                    let filter = first_string(&held[4..length]).ok_or(io::ErrorKind::InvalidData)?;
                    let mut all = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
                    all.entry(filter).or_default().push(Arc::clone(&shared));
                    socket.write_all(&[0x90, 3, held[2], held[3], 0])?;
                }
                3 => {
                    let topic = first_string(&held[2..]).or_else(|| first_string(&held[3..]));
                    let to = topic.and_then(|topic| heard_by(subscribers, &topic));
                    return copy(&mut socket, &held, &mut buffer, &to.unwrap_or_default());
                }
                _ => {
                    let _ = socket.shutdown(Shutdown::Both);
                    return Ok(());
                }
            }
            held.drain(..length);
        }
    }
}

/// From its first message on, a publisher's bytes are copied unseen.
fn copy(from: &mut TcpStream, first: &[u8], buffer: &mut [u8], to: &[Arc<TcpStream>]) -> io::Result<()> {
    for subscriber in to {
        subscriber.as_ref().write_all(first)?;
    }
    loop {
        let got = from.read(buffer)?;
        if got == 0 {
            return Ok(());
        }
        for subscriber in to {
            subscriber.as_ref().write_all(&buffer[..got])?;
        }
    }
}

fn heard_by(subscribers: &Subscribers, topic: &str) -> Option<Vec<Arc<TcpStream>>> {
    subscribers.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
}

/// A length-prefixed string.
fn first_string(bytes: &[u8]) -> Option<String> {
    let [high, low, rest @ ..] = bytes else { return None };
    let text = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    String::from_utf8(text.to_vec()).ok()
}
