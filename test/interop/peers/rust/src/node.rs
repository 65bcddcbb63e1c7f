//! The swarm, driven by one task, and the commands that are about connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, identify, identity, noise, ping, tcp, yamux};
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use crate::echo::{self, Served};
use crate::{Failure, print, stream};

const PATIENCE: Duration = Duration::from_secs(20);
// The library's own ping paces itself: 4 a second.
const PING_EVERY: Duration = Duration::from_millis(250);
// The library would close a connection without streams after 10 s.
const IDLE: Duration = Duration::from_secs(600);

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    stream: stream::Behaviour,
}

#[derive(Clone)]
enum Seen {
    Connected(ConnectionId),
    Failed(ConnectionId, String),
    Identified,
    Ping(PeerId, Result<Duration, String>),
    Closed(PeerId),
}

enum Act {
    Dial(DialOpts),
    Close(PeerId),
}

#[derive(Default)]
struct Known {
    identified: HashMap<PeerId, Value>,
    connected: HashMap<ConnectionId, (PeerId, bool)>,
}

#[derive(Clone)]
pub struct Node {
    act: mpsc::UnboundedSender<Act>,
    seen: broadcast::Sender<Seen>,
    known: Arc<Mutex<Known>>,
    control: stream::Control,
    served: Served,
}

pub fn start(seed: Vec<u8>, listen: Multiaddr) -> Result<Node, Failure> {
    let key = identity::Keypair::ed25519_from_bytes(seed)?;
    let (streams, control, incoming) = stream::Behaviour::new(echo::ECHO);
    let mut swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| Behaviour {
            identify: identify::Behaviour::new(
                identify::Config::new("interop/1.0.0".into(), key.public())
                    .with_agent_version("rust-libp2p/interop".into()),
            ),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY)),
            stream: streams,
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build();
    swarm.listen_on(listen)?;
    let (act, acts) = mpsc::unbounded_channel();
    let node = Node {
        act,
        seen: broadcast::channel(1024).0,
        known: Arc::default(),
        control,
        served: echo::serve(incoming),
    };
    tokio::spawn(drive(swarm, acts, node.clone()));
    Ok(node)
}

async fn drive(mut swarm: Swarm<Behaviour>, mut acts: mpsc::UnboundedReceiver<Act>, node: Node) {
    loop {
        tokio::select! {
            Some(act) = acts.recv() => match act {
                Act::Dial(options) => {
                    let id = options.connection_id();
                    if let Err(why) = swarm.dial(options) {
                        node.tell(Seen::Failed(id, why.to_string()));
                    }
                }
                Act::Close(peer) => {
                    let _ = swarm.disconnect_peer_id(peer);
                }
            },
            event = swarm.select_next_some() => node.on(*swarm.local_peer_id(), event),
        }
    }
}

fn identified(info: &identify::Info) -> Value {
    let text = |list: &[Multiaddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let key: String = info.public_key.encode_protobuf().iter().map(|b| format!("{b:02x}")).collect();
    json!({
        "agent": info.agent_version,
        "version": info.protocol_version,
        "protocols": info.protocols.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "addrs": text(&info.listen_addrs),
        "observed": [info.observed_addr.to_string()],
        "key": key,
    })
}

impl Node {
    fn tell(&self, seen: Seen) {
        let _ = self.seen.send(seen); // nobody may be waiting
    }

    fn on(&self, own: PeerId, event: SwarmEvent<BehaviourEvent>) {
        let mut known = self.known.lock().unwrap();
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                let full = address.with(Protocol::P2p(own)).to_string();
                print(&json!({"event": "ready", "peer": own.to_string(), "addrs": [full]}));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                known.connected.insert(connection_id, (peer_id, endpoint.is_dialer()));
                self.tell(Seen::Connected(connection_id));
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                known.connected.remove(&connection_id);
                if num_established == 0 {
                    known.identified.remove(&peer_id);
                    self.tell(Seen::Closed(peer_id));
                }
                eprintln!("closed {peer_id}: {cause:?}");
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.tell(Seen::Failed(connection_id, error.to_string()));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                known.identified.insert(peer_id, identified(&info));
                self.tell(Seen::Identified);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, result, .. })) => {
                self.tell(Seen::Ping(peer, result.map_err(|why| why.to_string())));
            }
            other => eprintln!("{other:?}"),
        }
    }

    pub async fn run(&self, asked: &Value) -> Result<Value, Failure> {
        match asked["do"].as_str().unwrap_or("") {
            "dial" => self.dial(asked).await,
            "peers" => Ok(self.peers()),
            "stats" => Ok(self.served.stats()),
            other => {
                let peer: PeerId = asked["peer"].as_str().unwrap_or("").parse()?;
                match other {
                    "identify" => timeout(PATIENCE, self.identify(peer)).await?,
                    "ping" => self.ping(peer, asked["n"].as_u64().unwrap_or(1)).await,
                    "close" => timeout(PATIENCE, self.close(peer)).await?,
                    _ => echo::run(self.control.clone(), peer, asked).await,
                }
            }
        }
    }

    async fn dial(&self, asked: &Value) -> Result<Value, Failure> {
        let mut seen = self.seen.subscribe();
        let options = DialOpts::from(asked["addr"].as_str().unwrap_or("").parse::<Multiaddr>()?);
        let wanted = options.connection_id();
        let begin = Instant::now();
        self.act.send(Act::Dial(options))?;
        let connected = timeout(PATIENCE, async {
            loop {
                match seen.recv().await? {
                    Seen::Connected(id) if id == wanted => return Ok(begin.elapsed()),
                    Seen::Failed(id, why) if id == wanted => return Err(Failure::from(why)),
                    _ => {}
                }
            }
        })
        .await??;
        let found = self.known.lock().unwrap().connected.get(&wanted).copied();
        let (peer, _) = found.ok_or("the connection was closed at once")?;
        timeout(PATIENCE, self.identify(peer)).await??;
        let ms = |d: Duration| d.as_micros() as f64 / 1000.0;
        Ok(json!({
            "peer": peer.to_string(),
            "connect_ms": ms(connected),
            "identify_ms": ms(begin.elapsed()),
        }))
    }

    async fn identify(&self, peer: PeerId) -> Result<Value, Failure> {
        let mut seen = self.seen.subscribe();
        loop {
            if let Some(found) = self.known.lock().unwrap().identified.get(&peer) {
                return Ok(found.clone());
            }
            if matches!(seen.recv().await?, Seen::Closed(id) if id == peer) {
                return Err("closed before identify".into());
            }
        }
    }

    /// The next n results of the library's own pinging.
    async fn ping(&self, peer: PeerId, n: u64) -> Result<Value, Failure> {
        let mut seen = self.seen.subscribe();
        let mut took = vec![];
        while (took.len() as u64) < n {
            match timeout(PATIENCE, seen.recv()).await?? {
                Seen::Ping(id, result) if id == peer => took.push(result?.as_micros() as u64),
                Seen::Closed(id) if id == peer => return Err("the connection was closed".into()),
                _ => {}
            }
        }
        Ok(json!({"rtt_us": took}))
    }

    async fn close(&self, peer: PeerId) -> Result<Value, Failure> {
        let mut seen = self.seen.subscribe();
        self.act.send(Act::Close(peer))?;
        while !matches!(seen.recv().await?, Seen::Closed(id) if id == peer) {}
        Ok(json!({}))
    }

    fn peers(&self) -> Value {
        let known = self.known.lock().unwrap();
        let one = |(peer, dialled): &(PeerId, bool)| json!({"peer": peer.to_string(), "dialled": dialled});
        json!({"peers": known.connected.values().map(one).collect::<Vec<_>>()})
    }
}
