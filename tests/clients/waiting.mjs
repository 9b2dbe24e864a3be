// How a model reads a held trade call's answer: by its status and ticket, or by its first words.

const WAITING = 'not_sent_waiting_for_person';

export function textOf(result) {
  return (result?.content ?? []).filter(({ type }) => type === 'text').map(({ text }) => text).join('\n');
}

export function isWaiting(result) {
  return result?.structuredContent?.status === WAITING || textOf(result).includes(WAITING);
}

export function ticketIn(result) {
  const ticket = result?.structuredContent?.ticket ?? /\bticket\W+(?:id\W+)?([A-Z0-9]{4,})\b/.exec(textOf(result))?.[1];
  if (!ticket) throw new Error(`held, but no ticket in the answer: ${JSON.stringify(result)}`);
  return ticket;
}

/** The ticket under the name that the tool's own schema gives its one required argument. */
export function argumentsFor(tool, ticket) {
  const [name = 'ticket'] = tool?.inputSchema?.required ?? [];
  return { [name]: ticket };
}
