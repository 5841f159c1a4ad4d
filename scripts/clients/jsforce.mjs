#!/usr/bin/env node
// Reads everything from a Salesforce API with the public `jsforce`, as JSON Lines {"stream", "id", "deleted", "body"}, sorted.
//
//     node jsforce.mjs BASE_URL CLIENT_ID CLIENT_SECRET REFRESH_TOKEN [rest|bulk]      (http://127.0.0.1:8100/salesforce)
//
// The first access token is a wrong one on purpose: the client has to renew it with the refresh token. Through the Bulk API all values
// are texts, and null is an empty one.

import jsforce from 'jsforce';

const OBJECTS = { accounts: 'Account', contacts: 'Contact', opportunities: 'Opportunity', tasks: 'Task', cases: 'Case', users: 'User' };

async function byRest(connection, query, everything) {
  const records = await connection.query(query, { autoFetch: true, maxFetch: 10_000_000, scanAll: everything });
  return records.records.map(({ attributes, ...record }) => record);
}

async function byBulk(connection, query, everything) {
  connection.bulk2.pollInterval = 10;
  const records = await connection.bulk2.query(query, { scanAll: everything });
  return records.toArray();
}

const [base, clientId, clientSecret, refreshToken, how] = process.argv.slice(2);
const connection = new jsforce.Connection({
  oauth2: { loginUrl: base, clientId, clientSecret },
  instanceUrl: base,
  accessToken: 'expired',
  refreshToken,
  version: '61.0',
});
// Bulk jobs are asked for below the host, wherever the instance is.
const send = connection._transport.httpRequest.bind(connection._transport);
const { origin } = new URL(base);
const here = (url) => (url.startsWith(`${origin}/services/`) ? base + url.slice(origin.length) : url);
connection._transport.httpRequest = (request, options) => send({ ...request, url: here(request.url) }, options);
const read = how === 'bulk' ? byBulk : byRest;
const sorted = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
const lines = [];
for (const [stream, name] of Object.entries(OBJECTS)) {
  const described = await connection.sobject(name).describe();
  const fields = described.fields.filter((field) => field.type !== 'address').map((field) => field.name);
  const query = `SELECT ${fields.join(', ')} FROM ${name}`;
  for (const record of await read(connection, query, fields.includes('IsDeleted'))) {
    lines.push({ body: sorted(record), deleted: [true, 'true'].includes(record.IsDeleted), id: record.Id, stream });
  }
}
const key = (line) => `${line.stream}\u0000${line.id}`;
lines.sort((a, b) => (key(a) < key(b) ? -1 : 1));
for (const line of lines) console.log(JSON.stringify(line));
