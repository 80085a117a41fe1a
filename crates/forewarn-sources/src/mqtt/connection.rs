//! Talks to the broker: connects, subscribes, receives, acknowledges. It never waits for the disk.

use std::pin::pin;
use std::time::Duration;

use rumqttc::mqttbytes::Error;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Outgoing, Packet, Publish, QoS, StateError,
    SubscribeReasonCode,
};
use tokio_util::sync::CancellationToken;

use super::message::{Ack, Message};
use crate::retry::backoff;
use crate::source::Link;

/// How long the last acknowledgements and the farewell to the broker may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// A topic without a subscription.
const NO_TOPIC: &str = "forewarn/farewell";

pub(super) struct Connection {
    client: AsyncClient,
    event_loop: EventLoop,
    filter: String,
    qos: QoS,
    link: Link<Message, Ack>,
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
        link: Link<Message, Ack>,
    ) -> Self {
        Self { client, event_loop, filter, qos, link, number: 0, subscribed: false, failures: 0 }
    }

    /// Runs until `shutdown`, then sends the acknowledgements of what has been taken in and disconnects.
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
        self.link.close();
        let _ended = tokio::time::timeout(FAREWELL, self.disconnect()).await;
        self.link.status().set_closed();
    }

    async fn disconnect(&mut self) {
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
                ack = self.link.durable() => send(&self.client, self.number, ack?),
                event = &mut poll => return Some(event),
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(answer)) => self.connected(answer.session_present),
            Event::Incoming(Packet::SubAck(answer)) => {
                self.answered(!answer.return_codes.contains(&SubscribeReasonCode::Failure));
            }
            Event::Incoming(Packet::Publish(publish)) => {
                let ack =
                    self.client.prepare_ack(&publish).map(|packet| Ack { connection: self.number, packet });
                self.receive(&publish, ack).await;
            }
            Event::Outgoing(Outgoing::PubAck(_)) => self.link.status().count_acknowledged(),
            _ => {}
        }
    }

    fn connected(&mut self, session_present: bool) {
        tracing::info!(source = self.link.status().name(), session_present, "connected to the MQTT broker");
        self.failures = 0;
        // The definition may have changed since the session was made, so the first connection subscribes in
        // any case.
        if session_present && self.subscribed {
            self.link.status().set_connected();
        } else {
            self.subscribed = false;
            if let Err(error) = self.client.try_subscribe(self.filter.as_str(), self.qos) {
                tracing::error!(source = self.link.status().name(), %error, "cannot subscribe");
            }
        }
    }

    /// The broker has answered to the subscription.
    fn answered(&mut self, granted: bool) {
        self.subscribed = granted;
        if granted {
            self.link.status().set_connected();
            return;
        }
        let problem = format!(
            "the broker refuses the subscription to {}; check its access rules for this user",
            self.filter
        );
        tracing::error!(source = self.link.status().name(), problem, "nothing is received over MQTT");
        self.link.status().set_lost(problem);
    }

    /// Hands a message to the pump. While the pump has no room nothing is read from the broker.
    async fn receive(&mut self, publish: &Publish, ack: Option<Ack>) {
        self.link.deliver(Message::new(publish), ack).await;
    }

    /// The connection is gone: what it delivered is still taken in, but its acknowledgements are void. The
    /// broker will deliver it again, and the intake recognises the repetition.
    async fn lost(&mut self, error: ConnectionError) {
        self.link.status().set_lost(problem(&error));
        // First of all: acknowledgements that become due while what is left is taken in would go out over the
        // next connection.
        self.number += 1;
        let left: Vec<_> = self.event_loop.state.events.drain(..).collect();
        for event in left {
            if let Event::Incoming(Packet::Publish(publish)) = event {
                self.receive(&publish, None).await;
            }
        }
        let wait = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        let (source, wait_s) = (self.link.status().name(), wait.as_secs_f64());
        tracing::warn!(source, error = problem(&error), wait_s, "no connection to the MQTT broker");
        tokio::time::sleep(wait).await;
    }
}

/// Why a connection ended, for an operator.
fn problem(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(Error::PayloadSizeLimitExceeded(bytes))) => {
            format!(
                "the broker sends a packet of {bytes} bytes, which is more than `max_packet` of the source; \
                 remove that message at the broker and bound what may be published there \
                 (message_size_limit), or raise `max_packet`"
            )
        }
        error => error.to_string(),
    }
}

/// Puts an acknowledgement in line, unless its connection is gone: in another one its number stands for
/// another message.
fn send(client: &AsyncClient, connection: u64, ack: Ack) {
    if ack.connection == connection
        && let Err(error) = client.try_manual_ack(ack.packet)
    {
        let consequence = "the broker will deliver the message again";
        tracing::warn!(%error, consequence, "an MQTT acknowledgement could not be sent");
    }
}
