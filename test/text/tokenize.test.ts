import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenizers } from '../../src/text/tokenize.js'

// All characters of Python's `str.split()` one by one, to detect errors in ranges.
const separators = [
  ...[0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680],
  ...[0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a],
  ...[0x2028, 0x2029, 0x202f, 0x205f, 0x3000],
].map(code => String.fromCodePoint(code))

const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...separators),
    fc.constantFrom(...'aÄ_3.,–'),
    fc.string({ unit: 'binary', maxLength: 1 }),
  ),
})

describe('whitespace', () => {
  it("splits at Python's white space and nowhere else", () => {
    const apart: string[] = []
    for (let code = 0; code < 0x110000; code++) {
      const character = String.fromCodePoint(code)
      if (tokenizers.whitespace(`a${character}b`).length === 2) apart.push(character)
    }
    expect(apart).toEqual(separators)
  })

  it('treats runs of separators as one, and ignores them at the ends', () => {
    expect(tokenizers.whitespace(' \tAm\u00a0\u3000Tag,  da.\r\n')).toEqual(['Am', 'Tag,', 'da.'])
    expect(tokenizers.whitespace('')).toEqual([])
    expect(tokenizers.whitespace('\u2003 ')).toEqual([])
  })

  it('removes only separators', () => {
    fc.assert(
      fc.property(text, input => {
        const kept = [...input].filter(character => !separators.includes(character)).join('')
        expect(tokenizers.whitespace(input).join('')).toBe(kept)
      }),
    )
  })
})

describe('words', () => {
  it('separates punctuation, one token per character', () => {
    const tokens = ['Die', '"', 'ÖVP', '"', '-', 'Chefin', ':', '3', ',', '5', '%', '–', 'x_', '.', '.', '.']
    expect(tokenizers.words('Die "ÖVP"-Chefin: 3,5% – x_...')).toEqual(tokens)
  })

  it('keeps surrogate pairs together', () => {
    expect(tokenizers.words('gut😀so')).toEqual(['gut', '😀', 'so'])
  })

  it('splits the tokens of the other tokenizer further', () => {
    fc.assert(
      fc.property(text, input => {
        expect(tokenizers.words(input)).toEqual(tokenizers.whitespace(input).flatMap(tokenizers.words))
        expect(tokenizers.words(input).join('')).toBe(tokenizers.whitespace(input).join(''))
      }),
    )
  })
})
