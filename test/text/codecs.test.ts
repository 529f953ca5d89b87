import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bpe } from '../../src/text/bpe.js'
import { type TokenCodecJson, tokenCodec } from '../../src/text/codecs.js'

const bpe = new Bpe([
  ['d', 'a'],
  ['da', 's</w>'],
])

describe('tokenCodec', () => {
  it.each<[TokenCodecJson, string, string[], string]>([
    [{ name: 'whitespace' }, ' das  Tor,\n', ['das', 'Tor,'], 'das Tor,'],
    [{ name: 'words' }, 'das Tor,', ['das', 'Tor', ','], 'das Tor ,'],
    [{ name: 'characters' }, 'a  😀\n', ['a', ' ', ' ', '😀', '\n'], 'a  😀\n'],
    [bpe.toJSON(), 'das  Tor', ['das', 'T@@', 'o@@', 'r'], 'das Tor'],
  ])('%j cuts a text and joins it, also after JSON', (json, text, tokens, joined) => {
    const codec = tokenCodec(json)
    for (const each of [codec, tokenCodec(JSON.parse(JSON.stringify(codec)))]) {
      expect(each.name).toBe(json.name)
      expect(each.encode(text)).toEqual(tokens)
      expect(each.decode(tokens)).toBe(joined)
      expect(each.decode([])).toBe('')
      expect(each.toJSON()).toEqual(json)
    }
  })

  it('takes a name', () => {
    expect(tokenCodec('words').toJSON()).toEqual({ name: 'words' })
  })

  it('restores every text from its characters', () => {
    const { encode, decode } = tokenCodec('characters')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(decode(encode(text))).toBe(text)
      }),
    )
  })

  it.each<[string, unknown, string]>([
    ['an unknown name', 'letters', 'name: wanted one of whitespace, words, characters, bpe, got letters'],
    ['no name', {}, 'name: wanted one of whitespace, words, characters, bpe, got undefined'],
    ['null', null, 'name: wanted one of whitespace, words, characters, bpe, got undefined'],
    ['no merges', { name: 'bpe' }, 'merges: wanted an array of pairs, got undefined'],
    [
      'a merge of one',
      { name: 'bpe', merges: [['a', 'b'], ['a']] },
      'merges[1]: wanted two strings, got [a]',
    ],
    ['a merge of numbers', { name: 'bpe', merges: [[1, 2]] }, 'merges[0]: wanted two strings, got [1, 2]'],
    ['a merge as text', { name: 'bpe', merges: ['a b'] }, 'merges[0]: wanted two strings, got a b'],
    ['white space', { name: 'bpe', merges: [['a', ' b']] }, 'merges[0]: wanted two symbols, got [a,  b]'],
  ])('refuses %s', (_, json, message) => {
    const call = () => tokenCodec(json as TokenCodecJson)
    expect(call).toThrow(message)
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }))
  })
})
