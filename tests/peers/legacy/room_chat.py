"""Plays system 002: a chat in the terminal, publisher and subscriber in one.

room_chat.py HOST PORT      then on stdin: username, room, passphrase of 32 characters, and messages; `quit` ends it

Written from a description of its bytes and behaviour. It had the address as a constant, and did not tell when the broker had
granted its subscription.
"""

import base64
import random
import sys

import paho.mqtt.client as mqtt
from cryptography.fernet import Fernet

ROOMS = {"python": "movantchat/python"}


def ask(words):
    print(words, flush=True)
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return line.rstrip("\n")


def main(host, port):
    username = ask("Enter your username: ")
    topic = ROOMS[ask("Pick a room: " + ", ".join(ROOMS))]
    passphrase = ask("Enter a 32-character passphrase for encryption: ")
    if len(passphrase) != 32:
        print("Passphrase must be 32 characters long", flush=True)
        sys.exit(1)
    cipher = Fernet(base64.urlsafe_b64encode(passphrase.encode()))

    def on_connect(mqttc, userdata, flags, rc):
        if rc != 0:
            print(f"Failed to connect, return code {rc}", flush=True)
            sys.exit(1)
        print("Connected to MQTT Broker!", flush=True)
        mqttc.subscribe(topic)

    def on_message(mqttc, userdata, message):
        try:
            print(cipher.decrypt(message.payload).decode(), flush=True)
        except Exception as error:
            print(f"Error decrypting message: {error!r}", flush=True)

    chat = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION1, f"movant-mqtt-{random.randint(0, 1000)}", protocol=mqtt.MQTTv311
    )
    chat.on_connect = on_connect
    chat.on_message = on_message
    chat.on_subscribe = lambda mqttc, userdata, mid, granted: print("(subscribed)", flush=True)
    chat.connect(host, int(port), 60)
    chat.loop_start()
    while True:
        line = sys.stdin.readline()
        text = line.rstrip("\n")
        if not line or text.lower() == "quit":
            # Ends before its thread has sent this: the notice hardly ever arrives.
            chat.publish(topic, cipher.encrypt(f"{username} has left the chat".encode()))
            break
        chat.publish(topic, cipher.encrypt(f"{username}: {text}".encode()))


if __name__ == "__main__":
    main(*sys.argv[1:])
