//! `/ghoard-test/echo/1.0.0`, both sides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt, TryStreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::Failure;
use crate::stream::{Control, REFUSED};

pub const ECHO: StreamProtocol = StreamProtocol::new("/ghoard-test/echo/1.0.0");
const NONE: StreamProtocol = StreamProtocol::new("/ghoard-test/none/1.0.0");
const PERIOD: usize = 65521;
const MAX_BODY: usize = 64 << 20;
const BUFFER: usize = 64 << 10;
pub const ONE_ASK: Duration = Duration::from_secs(60);
const HALF_DONE: usize = 64 << 10;

static PATTERN: std::sync::LazyLock<Vec<u8>> =
    std::sync::LazyLock::new(|| (0..PERIOD).map(|i| (7 * i + (i >> 8)) as u8).collect());

fn part(at: usize, n: usize) -> &'static [u8] {
    let from = at % PERIOD;
    &PATTERN[from..PERIOD.min(from + n - at)]
}

fn uvarint(mut n: usize) -> Vec<u8> {
    let mut out = vec![];
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

async fn read_uvarint(from: &mut (impl AsyncRead + Unpin)) -> Result<usize, Failure> {
    let (mut n, mut byte) = (0, [0; 1]);
    for shift in (0..63).step_by(7) {
        from.read_exact(&mut byte).await?;
        n |= ((byte[0] & 0x7f) as usize) << shift;
        if byte[0] < 0x80 {
            return Ok(n);
        }
    }
    Err("a length of more than 9 bytes".into())
}

async fn write_body(to: &mut (impl AsyncWrite + Unpin), n: usize) -> Result<(), Failure> {
    let mut at = 0;
    while at < n {
        let part = part(at, n);
        to.write_all(part).await?;
        at += part.len();
    }
    Ok(())
}

/// Reads exactly n bytes of the pattern and then the end.
async fn read_body(from: &mut (impl AsyncRead + Unpin), n: usize) -> Result<(), Failure> {
    let (mut buffer, mut at) = (vec![0; BUFFER], 0);
    loop {
        let got = from.read(&mut buffer).await?;
        if got == 0 && at == n {
            return Ok(());
        }
        if got == 0 {
            return Err(format!("the end after {at} of {n} bytes").into());
        }
        let mut done = 0;
        while done < got {
            let expected = part(at, n);
            let some = expected.len().min(got - done);
            if some == 0 || buffer[done..done + some] != expected[..some] {
                return Err(format!("another byte than sent, or too many, after {at} of {n}").into());
            }
            done += some;
            at += some;
        }
    }
}

// ---- server ----

#[derive(Clone, Default)]
pub struct Served(Arc<Mutex<(BTreeMap<char, u32>, u32)>>);

impl Served {
    pub fn stats(&self) -> Value {
        let (served, cut) = &*self.0.lock().unwrap();
        let served: BTreeMap<_, _> = served.iter().map(|(mode, n)| (mode.to_string(), n)).collect();
        json!({"served": served, "cut": cut})
    }
}

pub fn serve(mut incoming: mpsc::UnboundedReceiver<Stream>) -> Served {
    let served = Served::default();
    let counts = served.clone();
    tokio::spawn(async move {
        while let Some(stream) = incoming.next().await {
            let counts = counts.clone();
            tokio::spawn(async move {
                let ended = timeout(ONE_ASK, answer(stream)).await;
                let (served, cut) = &mut *counts.0.lock().unwrap();
                match ended {
                    Ok(Ok(mode)) => *served.entry(mode).or_default() += 1,
                    other => {
                        eprintln!("cut: {other:?}");
                        *cut += 1;
                    }
                }
            });
        }
    });
    served
}

/// A stream that is dropped unclosed is reset by the library.
async fn answer(mut stream: Stream) -> Result<char, Failure> {
    let mut mode = [0; 1];
    stream.read_exact(&mut mode).await?;
    let n = read_uvarint(&mut stream).await?;
    if n > MAX_BODY {
        return Err("above the limit".into());
    }
    let (mut buffer, mut at) = (vec![0; BUFFER], 0);
    match mode[0] {
        b'e' => {
            stream.write_all(&uvarint(n)).await?;
            while at < n {
                let got = stream.read(&mut buffer[..BUFFER.min(n - at)]).await?;
                if got == 0 {
                    return Err(format!("the end after {at} of {n} bytes").into());
                }
                stream.write_all(&buffer[..got]).await?;
                at += got;
                // what is written is held until a flush
                stream.flush().await?;
            }
        }
        b'd' => {
            stream.write_all(&uvarint(n)).await?;
            write_body(&mut stream, n).await?;
        }
        b'u' => {
            let mut sum = Sha256::new();
            loop {
                let got = stream.read(&mut buffer).await?;
                if got == 0 {
                    break;
                }
                sum.update(&buffer[..got]);
                at += got;
            }
            if at != n {
                return Err(format!("the end after {at} of {n} bytes").into());
            }
            stream.write_all(&[uvarint(n), sum.finalize().to_vec()].concat()).await?;
        }
        b'r' => {
            stream.write_all(&uvarint(n)).await?;
            write_body(&mut stream, n).await?;
            stream.flush().await?;
            return Ok('r');
        }
        _ => return Err("no such mode".into()),
    }
    stream.close().await?;
    // Dropped before the client's end it would be reset.
    while mode[0] != b'u' && stream.read(&mut buffer).await? > 0 {}
    Ok(mode[0] as char)
}

// ---- client ----

async fn open(control: Control, peer: PeerId) -> Result<Stream, Failure> {
    control.open(peer, ECHO).await
}

fn head(mode: u8, n: usize) -> Vec<u8> {
    [vec![mode], uvarint(n)].concat()
}

async fn send(to: &mut (impl AsyncWrite + Unpin), mode: u8, n: usize) -> Result<(), Failure> {
    to.write_all(&head(mode, n)).await?;
    write_body(to, n).await?;
    Ok(to.close().await?)
}

async fn receive(from: &mut (impl AsyncRead + Unpin), mode: u8, n: usize) -> Result<(), Failure> {
    let announced = read_uvarint(from).await?;
    if announced != n {
        return Err(format!("the answer announces {announced} bytes, not {n}").into());
    }
    if mode != b'u' {
        return read_body(from, n).await;
    }
    let (mut sum, mut at, mut got) = (Sha256::new(), 0, vec![]);
    while at < n {
        sum.update(part(at, n));
        at += part(at, n).len();
    }
    from.read_to_end(&mut got).await?;
    if got != sum.finalize().to_vec() {
        return Err(format!("another SHA-256 than of what was sent: {got:02x?}").into());
    }
    Ok(())
}

async fn one(control: Control, peer: PeerId, mode: u8, n: usize) -> Result<(), Failure> {
    let work = async {
        let mut stream = open(control, peer).await?;
        match mode {
            b'd' => {
                stream.write_all(&head(mode, n)).await?;
                stream.flush().await?;
                receive(&mut stream, mode, n).await?;
                stream.close().await?;
            }
            b'u' => {
                send(&mut stream, mode, n).await?;
                receive(&mut stream, mode, n).await?;
            }
            _ => {
                let (mut from, mut to) = stream.split();
                futures::try_join!(send(&mut to, mode, n), receive(&mut from, mode, n))?;
            }
        }
        Ok(())
    };
    timeout(ONE_ASK, work).await?
}

pub async fn run(control: Control, peer: PeerId, asked: &Value) -> Result<Value, Failure> {
    let n = asked["bytes"].as_u64().unwrap_or(0) as usize;
    match asked["do"].as_str().unwrap_or("") {
        "echo" => measured(control, peer, b'e', n, asked).await,
        "download" => measured(control, peer, b'd', n, asked).await,
        "upload" => measured(control, peer, b'u', n, asked).await,
        "half" => half(control, peer, n).await,
        "streams" => streams(control, peer, asked).await,
        "reset" => timeout(ONE_ASK, reset(control, peer, asked)).await?,
        "none" => none(control, peer).await,
        other => Err(format!("no such command: {other:?}").into()),
    }
}

async fn measured(
    control: Control,
    peer: PeerId,
    mode: u8,
    n: usize,
    asked: &Value,
) -> Result<Value, Failure> {
    let (mut took, begin) = (vec![], Instant::now());
    for _ in 0..asked["times"].as_u64().unwrap_or(1) {
        let start = Instant::now();
        one(control.clone(), peer, mode, n).await?;
        took.push(start.elapsed().as_micros() as u64);
    }
    let rate = (n * took.len()) as f64 / begin.elapsed().as_micros().max(1) as f64;
    Ok(json!({"us": took, "mbps": rate}))
}

async fn half(control: Control, peer: PeerId, n: usize) -> Result<Value, Failure> {
    let begin = Instant::now();
    one(control.clone(), peer, b'u', n).await?;
    let mut stream = open(control, peer).await?;
    stream.write_all(&head(b'd', n)).await?;
    stream.close().await?;
    timeout(ONE_ASK, receive(&mut stream, b'd', n)).await??;
    Ok(json!({"us": [begin.elapsed().as_micros() as u64]}))
}

async fn streams(control: Control, peer: PeerId, asked: &Value) -> Result<Value, Failure> {
    let n = asked["n"].as_u64().unwrap_or(1) as usize;
    let at_once = asked["at_once"].as_u64().unwrap_or(1) as usize;
    let size = asked["bytes"].as_u64().unwrap_or(100) as usize;
    let begin = Instant::now();
    futures::stream::iter(0..n)
        .map(|_| Ok(one(control.clone(), peer, b'e', size)))
        .try_buffer_unordered(at_once)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(json!({"done": n, "ms": begin.elapsed().as_micros() as f64 / 1000.0}))
}

async fn reset(control: Control, peer: PeerId, asked: &Value) -> Result<Value, Failure> {
    let mut stream = open(control.clone(), peer).await?;
    let mut saw = "reset";
    if asked["side"] == "client" {
        stream.write_all(&head(b'e', 1 << 20)).await?;
        write_body(&mut stream, HALF_DONE).await?;
        stream.flush().await?;
        stream.read_exact(&mut [0; 1024]).await?;
        drop(stream);
    } else {
        stream.write_all(&head(b'r', HALF_DONE)).await?;
        stream.flush().await?;
        // rust-yamux tells the reader of a stream that was reset what it tells him at the end.
        if stream.read_to_end(&mut vec![]).await.is_ok() {
            saw = "end";
        }
    }
    one(control, peer, b'e', 1000).await?;
    Ok(json!({"saw": saw}))
}

async fn none(control: Control, peer: PeerId) -> Result<Value, Failure> {
    match control.open(peer, NONE).await {
        Err(why) if why.to_string() == REFUSED => {}
        Err(other) => return Err(other),
        Ok(_) => return Err("a protocol that nobody has was accepted".into()),
    }
    one(control, peer, b'e', 1000).await?;
    Ok(json!({"saw": "na"}))
}
