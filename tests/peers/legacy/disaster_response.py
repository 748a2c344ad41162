"""Plays system 000: calls for help from a victim, by way of a drone, to those who coordinate.

disaster_response.py publish   HOST PORT KEYFILE COUNT
disaster_response.py subscribe HOST PORT KEYFILE

Written from a description of its bytes and behaviour. It had the address as a constant, sent ten calls two seconds apart,
and did not tell when the broker had granted its subscription.
"""

import random
import sys
import time
import uuid

import paho.mqtt.client as mqtt
from cryptography.fernet import Fernet

TOPIC = "emergency/assist"


def client(name, host, port):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, name, clean_session=True, protocol=mqtt.MQTTv311)
    made.connected_to = host, int(port), 60
    return made


def publish(host, port, keyfile, count):
    cipher = Fernet(open(keyfile, "rb").read())
    sender = client("emergencySender", host, port)
    sender.connect(*sender.connected_to)
    sender.loop_start()
    for number in range(1, int(count) + 1):
        call = f"ID:{uuid.uuid4()} Coordinates:{random.randint(1, 100)},{random.randint(1, 100)}"
        token = cipher.encrypt(call.encode())
        print(f"[{number}] Original Msg Length: {len(call)} bytes")
        print(f"[{number}] Encrypted Msg Length: {len(token)} bytes")
        sender.publish(TOPIC, token)
        print(f"[{number}] Published securely: {call}", flush=True)
        time.sleep(0.05)
    sender.loop_stop()
    sender.disconnect()


def subscribe(host, port, keyfile):
    cipher = Fernet(open(keyfile, "rb").read())

    def on_connect(mqttc, userdata, flags, rc):
        print(f"Connected successfully. Waiting for incoming secure messages on '{TOPIC}'...", flush=True)
        mqttc.subscribe(TOPIC)

    def on_message(mqttc, userdata, message):
        try:
            print(f"Decrypted Message Received: {cipher.decrypt(message.payload).decode()}", flush=True)
        except Exception as error:
            print(f"Decryption Failed: {error!r}", flush=True)

    receiver = client("emergencyReceiver", host, port)
    receiver.on_connect = on_connect
    receiver.on_message = on_message
    receiver.on_subscribe = lambda mqttc, userdata, mid, granted: print("(subscribed)", flush=True)
    receiver.connect(*receiver.connected_to)
    receiver.loop_forever()


if __name__ == "__main__":
    {"publish": publish, "subscribe": subscribe}[sys.argv[1]](*sys.argv[2:])
