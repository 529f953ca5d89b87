/**
 * Splits a text that arrives in pieces into lines without their ends. Only LF and CRLF end a line; a single CR or U+2028 does
 * not, because articles contain them. The last line needs no end.
 */
export async function* lines(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of pieces) {
    const parts = (rest + piece).split('\n')
    rest = parts.pop()!
    for (const part of parts) yield part.endsWith('\r') ? part.slice(0, -1) : part
  }
  if (rest !== '') yield rest
}
