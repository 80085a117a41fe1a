"""Publishes readings to an MQTT broker with QoS 1, in order, and ends once the broker has acknowledged all of them.

Usage: mqtt_publish.py PORT < MESSAGES

Each line of the input is a topic and a payload, with a space between them; it is published as soon as it is read. Prints how many
messages were acknowledged.
"""

import sys
import threading

import paho.mqtt.client as mqtt


def main() -> None:
    connected = threading.Event()
    changed = threading.Condition()
    acknowledged = 0

    def on_connect(client, userdata, flags, reason, properties):
        assert not reason.is_failure, reason
        connected.set()

    def on_publish(client, userdata, message, reason, properties):
        nonlocal acknowledged
        with changed:
            acknowledged += 1
            changed.notify()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="publisher", protocol=mqtt.MQTTv311)
    client.on_connect = on_connect
    client.on_publish = on_publish
    client.max_inflight_messages_set(100)
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_start()
    assert connected.wait(60), "the broker does not answer"
    published = 0
    for line in sys.stdin:
        topic, payload = line.rstrip("\n").split(" ", 1)
        client.publish(topic, payload, qos=1)
        published += 1
    with changed:
        complete = changed.wait_for(lambda: acknowledged == published, 120)
    assert complete, f"only {acknowledged} of {published} messages were acknowledged"
    client.disconnect()
    client.loop_stop()
    print(acknowledged)


main()
