import { expect, test } from 'vitest'
import { lines } from '../../src/text/lines.js'

async function linesOf(...pieces: string[]): Promise<string[]> {
  async function* source() {
    yield* pieces
  }
  const found: string[] = []
  for await (const line of lines(source())) found.push(line)
  return found
}

test('LF and CRLF end a line, also across pieces', async () => {
  expect(await linesOf('one\ntw', 'o\r', '\nthree', '\n')).toEqual(['one', 'two', 'three'])
})

test('other characters do not end a line', async () => {
  const line = 'a\rb\u2028c\u2029d\u0085e\vf\fg'
  expect(await linesOf(`${line}\nlast\r`)).toEqual([line, 'last\r'])
})

test('empty lines are kept, and the last line needs no end', async () => {
  expect(await linesOf('\n\nend')).toEqual(['', '', 'end'])
  expect(await linesOf('')).toEqual([])
  expect(await linesOf()).toEqual([])
})
