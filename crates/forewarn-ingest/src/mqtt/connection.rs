//! Talks to the broker: connects, subscribes, receives, acknowledges. It never waits for the disk.

use std::pin::pin;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Outgoing, Packet, Publish, QoS, SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::status::MqttHandle;
use super::{Ack, MAX_PAYLOAD_BYTES, Message, backoff};

/// How long the last acknowledgements and the farewell to the broker may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// A topic that nobody subscribes to.
const NO_TOPIC: &str = "forewarn/farewell";

pub(super) struct Connection {
    client: AsyncClient,
    event_loop: EventLoop,
    filter: String,
    qos: QoS,
    /// `None` once nothing more is taken in.
    messages: Option<mpsc::Sender<Message>>,
    acks: mpsc::UnboundedReceiver<Ack>,
    status: MqttHandle,
    /// Counts connections, so that an acknowledgement is never sent over another one than its message came
    /// by.
    number: u64,
    /// The broker has confirmed the subscription in the present session.
    subscribed: bool,
    failures: u32,
}

impl Connection {
    pub(super) const fn new(
        client: AsyncClient,
        event_loop: EventLoop,
        filter: String,
        qos: QoS,
        messages: mpsc::Sender<Message>,
        acks: mpsc::UnboundedReceiver<Ack>,
        status: MqttHandle,
    ) -> Self {
        Self {
            client,
            event_loop,
            filter,
            qos,
            messages: Some(messages),
            acks,
            status,
            number: 0,
            subscribed: false,
            failures: 0,
        }
    }

    /// Runs until `shutdown`, then sends the acknowledgements of what has been taken in and takes its leave.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let serve = async {
            loop {
                match self.poll().await {
                    Some(Ok(event)) => self.handle(event).await,
                    Some(Err(error)) => self.lost(error).await,
                    None => return,
                }
            }
        };
        let _stopped = shutdown.run_until_cancelled(serve).await;
        // Without its sender the pump finishes what it has and ends, and its acknowledgements end with it.
        self.messages = None;
        let _ended = tokio::time::timeout(FAREWELL, self.take_leave()).await;
        self.status.set_connected(false);
    }

    async fn take_leave(&mut self) {
        while let Some(Ok(event)) = self.poll().await {
            self.handle(event).await;
        }
        // A broker that finds the connection closed forgets what it has not read of it, acknowledgements
        // included, and delivers their messages again. It works in order, so its answer to a last question
        // says that it has read them all.
        if self.client.try_unsubscribe(NO_TOPIC).is_ok() {
            while let Ok(event) = self.event_loop.poll().await {
                if matches!(event, Event::Incoming(Packet::UnsubAck(_))) {
                    break;
                }
                self.handle(event).await;
            }
        }
        if self.client.try_disconnect().is_ok() {
            while self.event_loop.poll().await.is_ok() {}
        }
    }

    /// The next event. Acknowledgements that come meanwhile are put in line for the broker; the poll itself
    /// is never given up half-way, since that could cut a packet in two. `None`: the pump has ended.
    async fn poll(&mut self) -> Option<Result<Event, ConnectionError>> {
        let mut poll = pin!(self.event_loop.poll());
        loop {
            tokio::select! {
                biased;
                ack = self.acks.recv() => send(&self.client, self.number, ack?),
                event = &mut poll => return Some(event),
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(answer)) => self.connected(answer.session_present),
            Event::Incoming(Packet::SubAck(answer)) => {
                let refused = answer.return_codes.contains(&SubscribeReasonCode::Failure);
                self.subscribed = !refused;
                self.status.set_subscribed(!refused);
                if refused {
                    let (source, filter) = (self.status.client_id(), &self.filter);
                    tracing::error!(
                        source,
                        filter,
                        "the MQTT broker refuses the subscription; check its access rules"
                    );
                }
            }
            Event::Incoming(Packet::Publish(publish)) => {
                let ack =
                    self.client.prepare_ack(&publish).map(|packet| Ack { connection: self.number, packet });
                self.receive(publish, ack).await;
            }
            Event::Outgoing(Outgoing::PubAck(_)) => self.status.count_acked(),
            _ => {}
        }
    }

    fn connected(&mut self, session_present: bool) {
        tracing::info!(source = self.status.client_id(), session_present, "connected to the MQTT broker");
        self.status.set_connected(true);
        self.failures = 0;
        // The definition may have changed since the session was made, so the first connection subscribes in
        // any case.
        if session_present && self.subscribed {
            self.status.set_subscribed(true);
        } else {
            self.subscribed = false;
            if let Err(error) = self.client.try_subscribe(self.filter.as_str(), self.qos) {
                tracing::error!(source = self.status.client_id(), %error, "cannot subscribe");
            }
        }
    }

    /// Hands a message to the pump. While the pump has no room nothing is read from the broker.
    async fn receive(&mut self, publish: Publish, ack: Option<Ack>) {
        let Some(messages) = &self.messages else { return };
        self.status.count_received();
        let payload = if publish.payload.len() > MAX_PAYLOAD_BYTES {
            Err(publish.payload.len())
        } else {
            Ok(publish.payload.to_vec())
        };
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let message = Message { topic, payload, retained: publish.retain, ack };
        let mut sent = pin!(messages.send(message));
        loop {
            tokio::select! {
                biased;
                Some(ack) = self.acks.recv() => send(&self.client, self.number, ack),
                // The pump ends only together with the stage.
                _sent = &mut sent => return,
            }
        }
    }

    /// The connection is gone: what it delivered is still taken in, but its acknowledgements are void. The
    /// broker will deliver it again, and the intake recognises the repetition.
    async fn lost(&mut self, error: ConnectionError) {
        self.status.set_connected(false);
        self.status.set_subscribed(false);
        self.status.count_failure();
        // First of all: acknowledgements that become due while what is left is taken in would go out over the
        // next connection.
        self.number += 1;
        let left: Vec<_> = self.event_loop.state.events.drain(..).collect();
        for event in left {
            if let Event::Incoming(Packet::Publish(publish)) = event {
                self.receive(publish, None).await;
            }
        }
        let wait = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        tracing::warn!(source = self.status.client_id(), %error, wait_s = wait.as_secs_f64(), "no connection to the MQTT broker");
        tokio::time::sleep(wait).await;
    }
}

/// Puts an acknowledgement in line, unless its connection is gone: in another one its number stands for
/// another message.
fn send(client: &AsyncClient, connection: u64, ack: Ack) {
    if ack.connection == connection
        && let Err(error) = client.try_manual_ack(ack.packet)
    {
        tracing::warn!(%error, "an MQTT acknowledgement could not be sent; the broker will repeat the message");
    }
}
