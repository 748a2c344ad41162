// MQTT.js against a station.
//
// node peer.mjs URL CA USER PASSWORD
//   in 3.1.1 and 5.0: QoS 0 to 2, retained, wildcards, a will, a session that stays, a shared subscription,
//   user properties. Prints one line for each version.

import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import mqtt from "mqtt";

const [url, ca, username, password] = process.argv.slice(2);
const PATIENCE = 30_000;

/** One client, and what it is sent. */
class Peer {
  static async open(protocolVersion, clientId, more = {}) {
    const peer = new Peer();
    peer.heard = [];
    peer.waiting = [];
    const options = {
      protocolVersion,
      clientId,
      username,
      password,
      reconnectPeriod: 0,
      connectTimeout: PATIENCE,
      ca: ca === "-" ? undefined : readFileSync(ca),
      ...more,
    };
    const client = mqtt.connect(url, options);
    client.on("message", (topic, payload, packet) => {
      const message = { topic, text: payload.toString(), qos: packet.qos, retain: packet.retain, packet };
      const next = peer.waiting.shift();
      next ? next(message) : peer.heard.push(message);
    });
    peer.client = client;
    peer.present = await within("CONNACK", new Promise((resolve, reject) => {
      client.once("connect", (connack) => resolve(connack.sessionPresent));
      client.once("error", reject);
    }));
    return peer;
  }

  async subscribe(filter, qos) {
    const [granted] = await within("SUBACK", this.client.subscribeAsync(filter, { qos }));
    assert.equal(granted.qos, qos);
  }

  publish(topic, text, options) {
    return within("an acknowledgement", this.client.publishAsync(topic, text, options));
  }

  next() {
    const message = this.heard.shift();
    if (message) return Promise.resolve(message);
    return within("a message", new Promise((resolve) => this.waiting.push(resolve)));
  }

  async expect(topic, text, qos, retain = false) {
    const got = await this.next();
    assert.deepEqual([got.topic, got.text, got.qos, got.retain], [topic, text, qos, retain]);
    return got.packet;
  }

  close() {
    return this.client.endAsync();
  }
}

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

for (const version of [4, 5]) {
  const base = `js/${new URL(url).protocol.replace(":", "")}/${version}`;
  const clean = { clean: true };
  const one = await Peer.open(version, `js-one-${version}`, clean);

  await one.publish(`${base}/kept`, "kept", { qos: 1, retain: true });
  await one.subscribe(`${base}/+`, 2);
  await one.expect(`${base}/kept`, "kept", 1, true);
  for (const qos of [0, 1, 2]) {
    await one.publish(`${base}/live`, `qos ${qos}`, { qos });
    await one.expect(`${base}/live`, `qos ${qos}`, qos);
  }
  const big = "ü".repeat(100_000);
  await one.publish(`${base}/big`, big, { qos: 2 });
  await one.expect(`${base}/big`, big, 2);
  await one.publish(`${base}/kept`, "", { qos: 1, retain: true });
  await one.expect(`${base}/kept`, "", 1);

  // A will, of one that goes without a word.
  const will = { topic: `${base}/will`, payload: "gone", qos: 2, retain: false };
  const mortal = await Peer.open(version, `js-mortal-${version}`, { ...clean, will });
  mortal.client.stream.destroy();
  await one.expect(`${base}/will`, "gone", 2);

  // A session that stays, and what came meanwhile.
  const stays = { clean: false, ...(version === 5 && { properties: { sessionExpiryInterval: 3600 } }) };
  const first = await Peer.open(version, `js-stays-${version}`, stays);
  assert.equal(first.present, false);
  await first.subscribe(`${base}/stays`, 2);
  await first.close();
  for (const qos of [1, 2]) {
    await one.publish(`${base}/stays`, `while away ${qos}`, { qos });
    await one.expect(`${base}/stays`, `while away ${qos}`, qos);
  }
  const again = await Peer.open(version, `js-stays-${version}`, stays);
  assert.equal(again.present, true);
  for (const qos of [1, 2]) await again.expect(`${base}/stays`, `while away ${qos}`, qos);
  await again.close();

  // Of a group each message goes to one member.
  const group = await Promise.all(["x", "y"].map((name) => Peer.open(version, `js-${name}-${version}`, clean)));
  for (const member of group) await member.subscribe(`$share/group/${base}/work/#`, 1);
  for (let number = 0; number < 20; number++) await one.publish(`${base}/work/a`, `${number}`, { qos: 1 });
  for (const member of group) {
    await member.subscribe(`${base}/end`, 1);
  }
  await one.publish(`${base}/end`, "end", { qos: 1 });
  await one.expect(`${base}/end`, "end", 1);
  const shares = [];
  for (const member of group) {
    const share = [];
    for (let message = await member.next(); message.text !== "end"; message = await member.next()) {
      share.push(Number(message.text));
    }
    shares.push(share);
    await member.close();
  }
  assert.ok(shares.every((share) => share.length > 0), "one of the group was given everything");
  assert.deepEqual(shares.flat().sort((a, b) => a - b), Array.from({ length: 20 }, (_, number) => number));

  if (version === 5) {
    const properties = {
      contentType: "text/plain",
      responseTopic: `${base}/answer`,
      correlationData: Buffer.from("17"),
      userProperties: { unit: "celsius" },
      messageExpiryInterval: 60,
    };
    await one.publish(`${base}/live`, "21.5", { qos: 1, properties });
    const told = (await one.expect(`${base}/live`, "21.5", 1)).properties;
    assert.equal(told.contentType, properties.contentType);
    assert.equal(told.responseTopic, properties.responseTopic);
    assert.deepEqual(told.correlationData, properties.correlationData);
    assert.equal(told.userProperties.unit, "celsius");
    assert.ok(told.messageExpiryInterval <= 60);
  }
  await one.close();
  console.log(`mqtt.js ${version === 5 ? "5.0" : "3.1.1"} ok`);
}
