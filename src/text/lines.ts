/**
 * The lines of a text that comes in pieces, each without its end, which is LF or CRLF. Nothing else ends a line: not a CR
 * alone, nor U+2028, which stand within articles. The last line may go without.
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
