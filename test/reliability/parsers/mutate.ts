import type { Generator } from '../../../src/random.js'

/** What parsers trip over: ends, quotes, signs, numbers that overflow something, bytes that are no UTF-8. */
const TOKENS = [
  ...[
    '',
    ' ',
    '\n',
    '\r\n',
    '\0',
    ';',
    "'",
    '"',
    ',',
    ':',
    '{',
    '}',
    '[',
    ']',
    '\\',
    '-',
    '.',
    'e',
    '-1',
    '0',
    '1e999',
  ],
  ...[
    'null',
    'true',
    'NaN',
    '[]',
    '{}',
    '1e308',
    '4294967296',
    '9007199254740993',
    '99999999999',
    '__proto__',
    '\ufeff',
    '😀',
  ],
].map(text => Buffer.from(text))
const BYTES = [0, 1, 0x0a, 0x20, 0x7f, 0x80, 0xc0, 0xff]

/** Another file: one to three places of it changed, cut, repeated or put elsewhere. */
export function mutate(file: Buffer, generator: Generator): Buffer {
  let mutated = Buffer.from(file)
  for (let times = 1 + generator.below(3); times > 0; times--) {
    const at = generator.below(mutated.length + 1)
    const end = Math.min(
      mutated.length,
      at + generator.below(generator.below(8) === 0 ? mutated.length + 1 : 6),
    )
    const [before, between, after] = [
      mutated.subarray(0, at),
      mutated.subarray(at, end),
      mutated.subarray(end),
    ]
    switch (generator.below(10)) {
      case 0:
      case 6:
        if (at < mutated.length) mutated[at] = BYTES[generator.below(BYTES.length)]!
        break
      case 1:
      case 7:
        if (at < mutated.length) mutated[at]! ^= 1 << generator.below(8)
        break
      case 2:
      case 8:
      case 9:
        mutated = Buffer.concat([before, TOKENS[generator.below(TOKENS.length)]!, after])
        break
      case 3:
        mutated = Buffer.concat([before, after])
        break
      case 4:
        mutated = Buffer.concat([before, between, between, after])
        break
      default:
        mutated = Buffer.from(generator.below(8) === 0 ? before : Buffer.concat([after, before]))
    }
  }
  return mutated
}
