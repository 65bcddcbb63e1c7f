//! Streams of any protocol out, of one protocol in. (libp2p-stream drops inbound streams that come faster than
//! they are taken, as sixteen at once do.)

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};

use crate::Failure;
use crate::echo::ONE_ASK;

pub const REFUSED: &str = "the protocol was refused";

type Answer = oneshot::Sender<Result<Stream, Failure>>;

#[derive(Debug)]
pub struct Open {
    protocol: StreamProtocol,
    answer: Answer,
}

#[derive(Clone)]
pub struct Control(mpsc::UnboundedSender<(PeerId, Open)>);

impl Control {
    /// On a connection that stands.
    pub async fn open(&self, peer: PeerId, protocol: StreamProtocol) -> Result<Stream, Failure> {
        let (answer, answered) = oneshot::channel();
        self.0.unbounded_send((peer, Open { protocol, answer }))?;
        answered.await.map_err(|_| Failure::from(format!("not connected to {peer}")))?
    }
}

pub struct Behaviour {
    protocol: StreamProtocol,
    opens: mpsc::UnboundedReceiver<(PeerId, Open)>,
    incoming: mpsc::UnboundedSender<Stream>,
}

impl Behaviour {
    pub fn new(protocol: StreamProtocol) -> (Self, Control, mpsc::UnboundedReceiver<Stream>) {
        let (control, opens) = mpsc::unbounded();
        let (incoming, streams) = mpsc::unbounded();
        (Self { protocol, opens, incoming }, Control(control), streams)
    }

    fn handler(&self) -> Handler {
        let (protocol, incoming) = (self.protocol.clone(), self.incoming.clone());
        Handler { protocol, incoming, opens: VecDeque::new(), waker: None }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        match self.opens.poll_next_unpin(cx) {
            Poll::Ready(Some((peer_id, event))) => {
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event })
            }
            _ => Poll::Pending,
        }
    }
}

pub struct Handler {
    protocol: StreamProtocol,
    incoming: mpsc::UnboundedSender<Stream>,
    opens: VecDeque<Open>,
    waker: Option<Waker>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Answer;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ()).with_timeout(ONE_ASK)
    }

    fn on_behaviour_event(&mut self, event: Open) {
        self.opens.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Answer, Infallible>> {
        if let Some(Open { protocol, answer }) = self.opens.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), answer).with_timeout(ONE_ASK);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol, (), Answer>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                let _ = self.incoming.unbounded_send(protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                let _ = info.send(Ok(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let _ = info.send(Err(match error {
                    StreamUpgradeError::NegotiationFailed => REFUSED.into(),
                    other => other.to_string().into(),
                }));
            }
            _ => {}
        }
    }
}
