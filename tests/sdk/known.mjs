// The differences that are understood, and the versions: what the note says beside its table.
export const versions = `| in the table | is |
|---|---|
| ts1 | \`@modelcontextprotocol/sdk\` 1.32.2; as a server also over HTTP+SSE, the two addresses of 2024-11-05 ("SSE") |
| ts2 | \`@modelcontextprotocol/client\` and \`server\` 2.4.0: the client told to use the older era, to ask first, or pinned to 2026-07-28; the server with both eras, or 2026-07-28 alone ("modern") |
| py1, py2 | \`mcp\` 1.30.0 and 2.3.0 of PyPI; py2 with the same three modes, its server with both eras |
| rmcp | the Rust SDK 3.11.0, in its three lifecycle modes |`;

const KNOWN = [
  {
    mark: 'a',
    features: ['connect'],
    when: (pair) => pair.client === 'py2 pinned' && pair.than !== 'direct',
    why: 'The pinned Python client asks no server what it is, on whatever way: its application is told no name, no capabilities, no instructions. What the other client is told beside it comes from a handshake.',
  },
  {
    mark: 'b',
    features: ['progress'],
    when: ({ client, reference, through }) => {
      const [all, some] = [reference, through].map((report) => report.features.progress?.told ?? []);
      return client.startsWith('ts') && some.length > 0 && some.every((line, index) => line === all[index]);
    },
    why: 'The TypeScript SDK forgets who waits for progress as soon as it reads the answer, and hands progress on a moment later: where both lie in the same read, as on a busy machine, the last of it is lost in the client. The program had written it before the answer.',
  },
  {
    mark: 'c',
    features: ['connect'],
    when: ({ through }) => [through.features.connect?.server?.name, through.features.connect?.serverInfo?.name].includes('countersign'),
    why: 'No handshake waits longer than 1.5 s: this server had not said by then what it is, on the very first start, on a busy machine. So the client was told what fits any server, under our name; from the second start on it is told what the server said.',
  },
];

// Why this feature may differ in this pair; undefined where it may not.
export function known(pair, feature) {
  return KNOWN.find((one) => one.features.includes(feature) && one.when(pair));
}
